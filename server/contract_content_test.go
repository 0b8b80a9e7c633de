package server

import (
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// uploaded is a new upload of a namespace's with content.
func (l *lab) uploaded(as string, content []byte) string {
	l.t.Helper()
	u := get[api.Upload](l, http.MethodPost, "/upload", as, nil)
	if total := get[int](l, http.MethodPost, "/upload/"+u.UUID, as, string(content)); total != len(content) {
		l.t.Fatalf("%d bytes of %d", total, len(content))
	}
	return u.UUID
}

// variant is a disk that differs from others by its number.
func variant(n byte) []byte {
	b := rawDisk()
	b[100] = n
	return b
}

func (l *lab) uploadRows() {
	l.t.Helper()
	u := decode200[api.Upload](l, l.golden("upload-create", http.MethodPost, "/upload", "demo", nil))
	path := "/upload/" + u.UUID
	// A piece that looks like JSON is a piece, whatever is said of it.
	l.golden("upload-append", http.MethodPost, path, "demo", `{"a": 1}`, "Content-Type", "application/json")
	l.golden("upload-truncate", http.MethodPost, path+"/truncate/4", "demo", nil)
	l.refuse(400, "the upload has 4 bytes", http.MethodPost, path+"/truncate/5", "demo", nil)
	l.refuse(400, "the upload has 4 bytes", http.MethodPost, path+"/truncate/-1", "demo", nil)
	l.refuse(400, "is not an integer", http.MethodPost, path+"/truncate/four", "demo", nil)
	l.refuse(404, "upload not found", http.MethodPost, "/upload/"+nothing, "demo", "x")
	l.refuse(404, "upload not found", http.MethodPost, "/upload/"+nothing+"/truncate/0", "demo", nil)
	for _, piece := range []string{"[1, 2]", "null", "", "\x00\xff"} {
		before := get[int](l, http.MethodPost, path, "other", "")
		if after := get[int](l, http.MethodPost, path, "other", piece); after != before+len(piece) {
			l.t.Errorf("%q makes %d of %d", piece, after, before)
		}
	}
}

func (l *lab) versionRows() {
	l.t.Helper()
	const all, up = "/artifacts", "/artifacts/upload/"
	id := l.uploaded("demo", variant(1))
	l.refuse(400, "missing upload_uuid or blob_uuid in request", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": ""})
	l.refuse(400, "upload_uuid and blob_uuid are both given", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": id, "blob_uuid": id})
	l.refuse(400, "artifact name", http.MethodPost, up+"a%2Fb", "demo", fields{"upload_uuid": id})
	l.refuse(400, "source_url", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": id, "source_url": "sf://label/demo/x"})
	l.refuse(403, "artifact_type", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": id, "artifact_type": "label"})
	l.refuse(403, "only the system namespace can create shared artifacts", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": id, "shared": true})
	l.refuse(404, "namespace not found", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": id, "namespace": "other"})
	l.refuse(404, "namespace not found", http.MethodPost, up+"disk", "system", fields{"upload_uuid": id, "namespace": "nowhere"})
	l.refuse(404, "upload not found", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": nothing})
	l.refuse(404, "blob not found", http.MethodPost, up+"disk", "demo", fields{"blob_uuid": nothing})

	made := decode200[api.Artifact](l, l.golden("artifact-upload", http.MethodPost, up+"disk", "demo", fields{
		"upload_uuid": id, "blob_uuid": nil, "source_url": nil, "shared": false, "namespace": nil, "artifact_type": "image",
	}))
	l.golden("artifact-upload-again", http.MethodPost, up+"disk", "demo", fields{"upload_uuid": id}) // the answer was lost
	blob := decode200[api.Artifact](l, l.golden("artifact-upload-blob", http.MethodPost, up+"copy", "demo", fields{"blob_uuid": made.BlobUUID}))
	l.golden("artifact-upload-other", http.MethodPost, up+"notes", "demo", fields{
		"upload_uuid": l.uploaded("demo", []byte("no disk")), "artifact_type": "other",
	})
	l.refuse(400, "", http.MethodPost, up+"text", "demo", fields{"upload_uuid": l.uploaded("demo", []byte("no disk"))})
	l.ofOthers()

	versions := all + "/" + made.UUID + "/versions"
	get[api.Artifact](l, http.MethodPost, up+"disk", "demo", fields{"upload_uuid": l.uploaded("demo", variant(2))})
	l.refuse(400, "max_versions is 0", http.MethodPost, versions, "demo", fields{"max_versions": 0})
	l.refuse(400, "max_versions is 101", http.MethodPost, versions, "demo", fields{"max_versions": "101"})
	l.refuse(400, "max_versions is not an integer", http.MethodPost, versions, "demo", fields{"max_versions": "many"})
	l.golden("artifact-max-versions", http.MethodPost, versions, "demo", fields{"max_versions": "5"})
	if got := get[api.Artifact](l, http.MethodGet, all+"/disk", "demo", nil); got.MaxVersions != 5 {
		l.t.Errorf("max_versions is %d", got.MaxVersions)
	}
	get[any](l, http.MethodPost, versions, "demo", nil)
	if got := get[api.Artifact](l, http.MethodGet, all+"/disk", "demo", nil); got.MaxVersions != 3 || got.Index != 2 || len(got.Blobs) != 2 {
		l.t.Errorf("the artifact is %+v", got)
	}
	l.refuse(400, "is not an integer", http.MethodDelete, versions+"/newest", "demo", nil)
	l.refuse(404, "artifact index not found", http.MethodDelete, versions+"/3", "demo", nil)
	l.golden("artifact-delete-version", http.MethodDelete, versions+"/2", "demo", nil)
	l.refuse(404, "artifact index not found", http.MethodDelete, versions+"/2", "demo", nil)
	l.golden("artifact-delete-last-version", http.MethodDelete, versions+"/1", "demo", nil)
	l.refuse(404, "artifact not found", http.MethodDelete, versions+"/1", "demo", nil)
	if got := get[api.Blob](l, http.MethodGet, "/blobs/"+blob.BlobUUID, "demo", nil); got.ReferenceCount != 1 || got.State != "created" {
		l.t.Errorf("what another artifact has too is %+v", got)
	}
	l.sharing()
}

// ofOthers adds to what others have.
func (l *lab) ofOthers() {
	l.t.Helper()
	const source = "https://images.test/disk"
	for n, owner := range []string{"one", "two"} {
		l.grow(owner)
		get[any](l, http.MethodPost, "/auth/namespaces/"+owner+"/trust", owner, fields{"external_namespace": "demo"})
		get[any](l, http.MethodPost, "/artifacts/upload/x", owner, fields{"upload_uuid": l.uploaded(owner, variant(byte(10+n))), "source_url": source})
	}
	id := l.uploaded("demo", variant(20))
	l.refuse(409, "artifacts of other namespaces come from", http.MethodPost, "/artifacts/upload/x", "demo", fields{"upload_uuid": id, "source_url": source})
	theirs := get[api.Artifact](l, http.MethodPost, "/artifacts/upload/x", "demo", fields{"upload_uuid": id, "namespace": "one"})
	if theirs.Namespace != "one" || theirs.SourceURL != "sf://upload/demo/x" {
		l.t.Errorf("the source has the caller's name: %+v", theirs)
	}
}

func (l *lab) sharing() {
	l.t.Helper()
	golden := get[api.Artifact](l, http.MethodPost, "/artifacts/upload/golden", "system", fields{
		"upload_uuid": l.uploaded("system", variant(30)), "source_url": "https://me:secret@images.test/golden?token=secret#secret",
	})
	path := "/artifacts/" + golden.UUID
	mine := get[api.Artifact](l, http.MethodPost, "/artifacts/upload/mine", "demo", fields{"blob_uuid": golden.BlobUUID})
	l.refuse(403, "only artifacts in the system namespace can be shared", http.MethodPost, "/artifacts/"+mine.UUID+"/share", "demo", nil)
	l.refuse(403, "artifact not shared", http.MethodPost, path+"/unshare", "system", nil)
	l.refuse(404, "artifact not found", http.MethodGet, path, "demo", nil)
	l.golden("artifact-share", http.MethodPost, path+"/share", "system", nil)
	a := l.send(http.MethodGet, path, "demo", nil)
	if a.status != 200 || strings.Contains(string(a.body), "secret") {
		l.t.Errorf("what is shared is shown as %d %s", a.status, a.body)
	}
	if events := l.send(http.MethodGet, path+"/events", "demo", fields{"limit": -1}); strings.Contains(string(events.body), "secret") {
		l.t.Errorf("events of what is shared tell of %s", events.body)
	}
	for _, change := range []string{"POST /share", "POST /unshare", "POST /versions", "DELETE /versions/1", "DELETE "} {
		method, rest, _ := strings.Cut(change, " ")
		l.refuse(404, "artifact not found", method, path+rest, "demo", nil)
	}
	l.golden("artifact-unshare", http.MethodPost, path+"/unshare", "system", nil)
}

func (l *lab) labelRows() {
	l.t.Helper()
	const path = "/label/tested"
	blob := func(n byte) string {
		return get[api.Artifact](l, http.MethodPost, "/artifacts/upload/disk", "demo", fields{"upload_uuid": l.uploaded("demo", variant(n))}).BlobUUID
	}
	first, second := blob(1), blob(2)
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		l.refuse(400, "missing blob_uuid in request", method, path, "demo", nil)
	}
	l.refuse(400, "more than one slash", http.MethodPost, "/label/a/b/c", "demo", fields{"blob_uuid": first})
	l.refuse(400, "max_versions is 101", http.MethodPost, path, "demo", fields{"blob_uuid": first, "max_versions": 101})
	l.refuse(404, "blob not found", http.MethodPost, path, "demo", fields{"blob_uuid": nothing})
	l.refuse(404, "namespace not found", http.MethodPost, "/label/other/tested", "demo", fields{"blob_uuid": first})
	l.refuse(404, "namespace not found", http.MethodPost, "/label/nowhere/tested", "demo", fields{"blob_uuid": first})
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		l.refuse(404, "label not found", method, path, "demo", nil)
		l.refuse(400, "more than one slash", method, "/label/a/b/c", "demo", nil)
		l.refuse(404, "label not found", method, "/label/other/tested", "demo", nil)
		l.refuse(404, "not found", method, "/label", "demo", nil)
		l.refuse(404, "not found", method, "/label/", "demo", nil)
	}
	l.golden("label-set", http.MethodPost, path, "demo", fields{"blob_uuid": first, "max_versions": nil})
	l.golden("label-set-again", http.MethodPost, "/label/demo/tested", "demo", fields{"blob_uuid": first})
	l.golden("label-put", http.MethodPut, "/label/demo%2Ftested", "system", fields{"blob_uuid": second, "max_versions": "1"})
	l.golden("label-show", http.MethodGet, "/label/demo/tested/", "system", nil)
	l.refuse(404, "label not found", http.MethodGet, "/label/demo/tested", "other", nil)
	l.goldenIntent("label-delete", http.MethodDelete, path, nil)
	l.refuse(404, "label not found", http.MethodGet, path, "demo", nil)
}
