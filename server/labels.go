package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/artifact"
)

// labelRoutes are the routes of labels. Their name in the path may be <namespace>/<name>.
func (s *server) labelRoutes() []route {
	set := route{
		method: http.MethodPost, pattern: api.PathLabel, who: trusted, handle: s.setLabel, args: labelArgs,
		summary: "have a label mean a blob; a new one if there is none", out: api.Artifact{},
	}
	older := set
	older.method, older.summary = http.MethodPut, "the same, as older clients say it"
	return []route{
		set, older,
		{
			method: http.MethodGet, pattern: api.PathLabel, who: trusted, handle: s.onLabel(s.showArtifact),
			summary: "show a label", out: api.Artifact{},
		},
		{
			method: http.MethodDelete, pattern: api.PathLabel, who: trusted, handle: s.onLabel(s.deleteArtifact),
			summary: "delete a label", out: api.Artifact{}, errs: []int{http.StatusConflict},
		},
	}
}

var labelArgs = []arg{
	{name: "blob_uuid", kind: argText, must: true, doc: "what the label shall mean"},
	{name: "max_versions", kind: argInt, doc: "how many blobs it keeps, from 1 to 100; absent: as it is, and for a new one as many as any artifact"},
}

func (s *server) setLabel(c *call) (any, error) {
	most, err := maxVersions(c, 0)
	if err != nil {
		return nil, err
	}
	a, err := s.cloud.Artifacts.SetLabel(c.Context(), artifact.LabelRequest{
		Caller: c.namespace, Name: c.PathValue("name"), Blob: c.args.text("blob_uuid"), MaxVersions: most,
	})
	if err != nil {
		return nil, err
	}
	return s.artifactView(c, a), nil
}

// onLabel finds the label in the path, if its namespace trusts the caller.
func (s *server) onLabel(f func(*call, artifact.Artifact) (any, error)) handler {
	return func(c *call) (any, error) {
		a, err := s.cloud.Artifacts.FindLabel(c.Context(), c.namespace, c.PathValue("name"))
		if err != nil {
			return nil, err
		}
		return f(c, a)
	}
}
