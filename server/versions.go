package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

// versionRoutes are the routes that change what an artifact has and who may use it.
func (s *server) versionRoutes() []route {
	return []route{
		{
			method: http.MethodPost, pattern: api.PathArtifactUpload, who: anybody, handle: s.uploadArtifact, args: uploadArtifactArgs,
			summary: "make what was uploaded, or a blob, an artifact or its next version", out: api.Artifact{},
			errs: []int{
				http.StatusForbidden, http.StatusNotFound, http.StatusNotAcceptable, http.StatusConflict, http.StatusInsufficientStorage,
			},
		},
		{
			method: http.MethodPost, pattern: api.PathArtifactVersions, who: trusted, handle: s.onOwnedArtifact(s.setMaxVersions), args: maxVersionsArgs,
			summary: "say how many versions an artifact keeps; older ones go at once",
		},
		{
			method: http.MethodDelete, pattern: api.PathArtifactVersion, who: trusted, handle: s.onOwnedArtifact(s.deleteVersion),
			summary: "delete a version of an artifact; with the last one goes the artifact", out: api.Artifact{},
		},
		{
			method: http.MethodPost, pattern: api.PathArtifactShare, who: trusted, handle: s.onOwnedArtifact(s.shareArtifact),
			summary: "have every namespace use an artifact of system", out: api.Artifact{}, errs: []int{http.StatusForbidden},
		},
		{
			method: http.MethodPost, pattern: api.PathArtifactUnshare, who: trusted, handle: s.onOwnedArtifact(s.unshareArtifact),
			summary: "end that", out: api.Artifact{}, errs: []int{http.StatusForbidden},
		},
	}
}

var (
	uploadArtifactArgs = []arg{
		{name: "upload_uuid", kind: argText, empty: true, doc: "what was uploaded; it is gone then"},
		{name: "blob_uuid", kind: argText, empty: true, doc: "or content that is there"},
		{name: "source_url", kind: argText, empty: true, doc: "which artifact it is; absent: sf://upload/<namespace of the caller>/<name>"},
		{name: "shared", kind: argBool, doc: "for every namespace; only system can say so; absent: false"},
		{name: "namespace", kind: argText, empty: true, doc: "whose it shall be; absent: the caller's"},
		{name: "artifact_type", kind: argText, empty: true, doc: "image, or other for what is no disk; absent: image"},
	}
	maxVersionsArgs = []arg{{name: "max_versions", kind: argInt, doc: "from 1 to 100; absent: as many as new artifacts keep"}}
)

// uploadArtifact makes an artifact of an upload or of a blob. What is wrong with the rest is said before the content is
// looked at, which may take long.
func (s *server) uploadArtifact(c *call) (any, error) {
	upload, content := c.args.text("upload_uuid"), c.args.text("blob_uuid")
	switch {
	case upload != "" && content != "":
		return nil, invalid("upload_uuid and blob_uuid are both given; use one of them")
	case upload == "" && content == "":
		return nil, invalid("missing upload_uuid or blob_uuid in request")
	}
	namespace, err := s.target(c)
	if err != nil {
		return nil, err
	}
	r := artifact.AddRequest{
		Caller: c.namespace, Name: c.PathValue("name"), SourceURL: c.args.text("source_url"), Namespace: namespace,
		Shared: c.args.flag("shared", false), Type: artifact.Type(c.args.text("artifact_type")), Blob: content, Upload: upload,
	}
	if err := s.cloud.Artifacts.ValidateAdd(c.Context(), r); err != nil {
		return nil, err
	}
	var a artifact.Artifact
	if upload != "" {
		a, err = s.fromUpload(c, r)
	} else {
		a, err = s.cloud.Artifacts.Add(c.Context(), r)
	}
	if err != nil {
		return nil, err
	}
	return s.artifactView(c, a), nil
}

// fromUpload is for what was uploaded. Who asks again for one that became an artifact, because the answer was lost, gets the
// artifact.
func (s *server) fromUpload(c *call, r artifact.AddRequest) (artifact.Artifact, error) {
	kind := blob.Image
	if r.Type == artifact.Other {
		kind = blob.Other
	}
	stored, end, release, err := s.cloud.Uploads.Take(c.Context(), r.Upload, blob.Content{Kind: kind})
	if errors.Is(err, fault.NotFound) {
		if a, ok := s.cloud.Artifacts.Uploaded(c.namespace, r.Upload); ok {
			return a, nil
		}
	}
	if err != nil {
		return artifact.Artifact{}, err
	}
	defer release()
	r.Stored, r.With = stored, end
	return s.cloud.Artifacts.Add(c.Context(), r)
}

func (s *server) setMaxVersions(c *call, a artifact.Artifact) (any, error) {
	most, err := maxVersions(c, s.cloud.Artifacts.MaxVersions)
	if err != nil {
		return nil, err
	}
	return nil, s.cloud.Artifacts.SetMaxVersions(c.Context(), a.ID, most)
}

// maxVersions returns the argument of that name, otherwise if there is none.
func maxVersions(c *call, otherwise int) (int, error) {
	n := c.args.integer("max_versions", otherwise)
	if c.args.has("max_versions") && (n < 1 || n > artifact.MostVersions) {
		return 0, invalid("max_versions is %d; use a number from 1 to %d", n, artifact.MostVersions)
	}
	return n, nil
}

func (s *server) deleteVersion(c *call, a artifact.Artifact) (any, error) {
	index, err := strconv.Atoi(c.PathValue("index"))
	if err != nil {
		return nil, invalid("artifact index %.80q is not an integer", c.PathValue("index"))
	}
	if a, err = s.cloud.Artifacts.DeleteVersion(c.Context(), a.ID, index); err != nil {
		return nil, err
	}
	return s.artifactView(c, a), nil
}

func (s *server) shareArtifact(c *call, a artifact.Artifact) (any, error) {
	a, err := s.cloud.Artifacts.Share(c.Context(), a.ID)
	if err != nil {
		return nil, err
	}
	return s.artifactView(c, a), nil
}

func (s *server) unshareArtifact(c *call, a artifact.Artifact) (any, error) {
	a, err := s.cloud.Artifacts.Unshare(c.Context(), a.ID)
	if err != nil {
		return nil, err
	}
	return s.artifactView(c, a), nil
}
