package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance"
)

func TestASharedImageTellsTenantsNothingOfEachOther(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	url := strings.Replace(l.images, "http://", "http://user:hidden1@", 1) + "/image.qcow2?signature=hidden2"
	shared := get[api.Artifact](l, http.MethodPost, "/artifacts", "system", map[string]any{"url": url, "shared": true})
	mine := map[string]string{}
	for _, tenant := range []string{"demo", "other"} {
		body := blankInstance()
		body["disk"] = []any{map[string]any{"size": 1, "base": url}}
		i := get[api.Instance](l, http.MethodPost, "/instances", tenant, body)
		l.waitInstance(i.UUID, instance.Created)
		mine[tenant] = i.UUID
	}
	all := []string{mine["demo"], mine["other"]}
	slices.Sort(all)
	for caller, want := range map[string][]string{"demo": {mine["demo"]}, "other": {mine["other"]}, "system": all} {
		a := get[api.Artifact](l, http.MethodGet, "/artifacts/"+shared.UUID, caller, nil)
		versions := get[[]api.IndexedBlob](l, http.MethodGet, "/artifacts/"+shared.UUID+"/versions", caller, nil)
		b := get[api.Blob](l, http.MethodGet, "/blobs/"+a.BlobUUID, caller, nil)
		for _, users := range [][]string{a.Blobs[1].Instances, versions[0].Instances, b.Instances} {
			slices.Sort(users)
			if !slices.Equal(users, want) {
				t.Errorf("%s sees the users %v, want %v", caller, users, want)
			}
		}
	}
	for _, path := range []string{"/artifacts", "/artifacts/" + shared.UUID, "/artifacts/" + shared.UUID + "/events", "/artifacts/" + shared.UUID + "/versions"} {
		if a := l.send(http.MethodGet, path, "demo", nil); strings.Contains(string(a.body), "hidden") {
			t.Errorf("GET %s shows a secret of the image's URL: %s", path, a.body)
		}
	}
	if log := l.log.String(); strings.Contains(log, "hidden") {
		t.Error("the log has a secret of an image's URL")
	}
}

// What a tenant may not see is not there, whatever is asked of it and however it is named.
func TestWhatBelongsToOthersIsNotThere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	network := l.makeNetwork("other", "lan")
	vm := l.makeInstance("other", map[string]any{"network_uuid": network})
	nic := get[[]api.Interface](l, http.MethodGet, "/instances/"+vm+"/interfaces", "other", nil)[0].UUID
	image := get[api.Artifact](l, http.MethodPost, "/artifacts", "other", map[string]any{"url": l.images + "/image.qcow2"}).UUID
	l.waitArtifact(image)
	refs := map[string][]string{
		"/instances/{ref}":   {strings.ReplaceAll(strings.ToUpper(vm), "-", ""), "web1"},
		"/networks/{ref}":    {strings.ToUpper(network), "lan"},
		"/artifacts/{ref}":   {strings.ToUpper(image), "image.qcow2"},
		"/interfaces/{uuid}": {nic},
	}
	before := l.everything()
	for _, rt := range (&server{cloud: l.cloud}).routes() {
		for prefix, names := range refs {
			rest, ok := strings.CutPrefix(rt.pattern, prefix)
			if !ok {
				continue
			}
			for _, name := range names {
				path := prefix[:strings.Index(prefix, "{")] + name + rest
				body := completeBody(rt)
				l.wantError(l.send(rt.method, path, "demo", body), http.StatusNotFound, "not found")
				if slices.ContainsFunc(rt.args, func(a arg) bool { return a.name == "namespace" }) {
					body["namespace"] = "other"
					l.wantError(l.send(rt.method, path, "demo", body), http.StatusNotFound, "not found")
				}
			}
		}
	}
	if after := l.everything(); after != before {
		t.Errorf("requests of another tenant changed something:\nbefore %s\nafter  %s", before, after)
	}
	for _, path := range []string{"/instances?all=1", "/networks?all=1", "/artifacts"} {
		if a := l.send(http.MethodGet, path, "demo", nil); string(a.body) != "[]\n" {
			t.Errorf("GET %s lists %s", path, a.body)
		}
	}
}

// everything is the whole state, as text.
func (l *lab) everything() string {
	l.t.Helper()
	page, err := l.state.List(l.t.Context(), "", "", 0)
	if err != nil {
		l.t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range page.Entries {
		if strings.HasPrefix(e.Key, "n/") {
			continue // nodes are measured now and then
		}
		all.WriteString(e.Key + " " + string(e.Value) + "\n")
	}
	return all.String()
}
