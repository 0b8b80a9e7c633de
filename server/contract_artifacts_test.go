package server

import (
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/artifact"
)

func (l *lab) artifactRows() {
	l.t.Helper()
	const all, disk = "/artifacts", "/artifacts/disk.qcow2"
	l.golden("artifact-list-empty", http.MethodGet, all, "demo", nil)
	made := decode200[api.Artifact](l, l.goldenIntent("artifact-create", http.MethodPost, all,
		fields{"url": l.images + "/disk.qcow2", "shared": false, "namespace": nil}))
	l.refuse(400, "missing url in request", http.MethodPost, all, "demo", nil)
	l.refuse(400, "url", http.MethodPost, all, "demo", fields{"url": "ftp://host/x"})
	l.refuse(403, "only the system namespace can create shared artifacts", http.MethodPost, all, "demo", fields{"url": l.images, "shared": true})
	l.refuse(404, "namespace not found", http.MethodPost, all, "demo", fields{"url": l.images, "namespace": "other"})
	l.waitArtifact(made.UUID)

	shown := decode200[api.Artifact](l, l.golden("artifact-show", http.MethodGet, disk, "demo", nil))
	l.golden("artifact-list", http.MethodGet, all, "demo", fields{"node": "node-1"})
	l.golden("artifact-list-elsewhere", http.MethodGet, all, "demo", fields{"node": "node-2"})
	l.golden("artifact-versions", http.MethodGet, all+"/"+made.UUID+"/versions", "demo", nil)
	l.golden("artifact-events", http.MethodGet, disk+"/events", "demo", fields{"event_type": "audit", "limit": 1})
	l.wantEvents(disk+"/events", "demo")

	b := "/blobs/" + shown.BlobUUID
	l.golden("blob-show", http.MethodGet, b, "other", nil)
	l.golden("blob-list", http.MethodGet, "/blobs", "system", fields{"node": nil})
	l.golden("blob-list-elsewhere", http.MethodGet, "/blobs?node=node-2", "system", nil)
	l.golden("blob-data", http.MethodGet, b+"/data?offset=510&limit=2", "other", nil)
	l.golden("blob-data-past-the-end", http.MethodGet, b+"/data?offset=65536", "demo", nil)
	if a := l.send(http.MethodGet, b+"/data", "demo", nil); string(a.body) != string(rawDisk()) {
		l.t.Errorf("the whole blob has %d bytes and is another", len(a.body))
	}
	l.golden("blob-by-sha512", http.MethodGet, "/blob_checksums/sha512/"+sha512Of(rawDisk()), "other", nil)
	l.golden("blob-by-checksum-none", http.MethodGet, "/blob_checksums/sha1/"+sha512Of(rawDisk()), "demo", nil)
	l.refuse(400, "unknown hash algorithm", http.MethodGet, "/blob_checksums/md5/"+sha512Of(rawDisk()), "demo", nil)
	l.refuse(404, "blob not found", http.MethodGet, "/blobs/"+nothing, "demo", nil)
	l.refuse(404, "blob not found", http.MethodGet, "/blobs/"+nothing+"/data", "demo", nil)

	l.goldenIntent("image-create", http.MethodPost, "/images", fields{"url": l.images + "/old.qcow2"})
	l.refuse(400, "missing url in request", http.MethodPost, "/images", "demo", nil)
	l.golden("image-list", http.MethodGet, "/images", "demo", nil)

	l.sharedArtifact()
	for _, a := range l.cloud.Artifacts.List(l.t.Context(), "system") {
		l.waitArtifact(a.ID) // all have the same content, and so the same blob
	}
	l.goldenIntent("artifact-delete", http.MethodDelete, disk, nil)
	l.golden("artifact-delete-again", http.MethodDelete, all+"/"+made.UUID, "demo", nil)
}

func sha512Of(b []byte) string {
	sum := sha512.Sum512(b)
	return hex.EncodeToString(sum[:])
}

// sharedArtifact is one that everybody may read, but nobody else may delete.
func (l *lab) sharedArtifact() {
	l.t.Helper()
	const all = "/artifacts"
	made := get[api.Artifact](l, http.MethodPost, all, "system", fields{"url": l.images + "/disk?token=hidden", "shared": true})
	l.waitArtifact(made.UUID)
	seen := get[api.Artifact](l, http.MethodGet, all+"/disk", "demo", nil)
	if seen.UUID != made.UUID || strings.Contains(seen.SourceURL, "hidden") || !strings.Contains(made.SourceURL, "hidden") {
		l.t.Errorf("a shared artifact is seen as %+v", seen)
	}
	l.refuse(404, "artifact not found", http.MethodDelete, all+"/"+made.UUID, "demo", nil)
	twin := get[api.Artifact](l, http.MethodPost, all, "system", fields{"url": l.images + "/x/disk", "shared": true})
	l.waitArtifact(twin.UUID)
	l.refuse(400, `multiple artifacts have the name "disk"`, http.MethodGet, all+"/disk", "demo", nil)

	// Two that trust demo have the same image, and demo has none of its own.
	for _, owner := range []string{"one", "two"} {
		l.grow(owner)
		get[any](l, http.MethodPost, "/auth/namespaces/"+owner+"/trust", owner, fields{"external_namespace": "demo"})
		get[any](l, http.MethodPost, all, owner, fields{"url": l.images + "/both"})
	}
	l.refuse(409, "artifacts of other namespaces come from", http.MethodPost, all, "demo", fields{"url": l.images + "/both"})
}

func (l *lab) waitArtifact(id string) {
	l.t.Helper()
	for range 2000 {
		a, err := l.cloud.Artifacts.Get(l.t.Context(), id)
		switch {
		case err != nil:
			l.t.Fatal(err)
		case a.State == artifact.Created:
			return
		case a.State == artifact.Error:
			l.t.Fatal(a.Error)
		}
		time.Sleep(5 * time.Millisecond)
	}
	l.t.Fatal("the image was not fetched")
}
