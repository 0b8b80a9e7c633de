package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// record is what is wanted of an artifact, at "artifact/<uuid>".
type record struct {
	Type        Type      `json:"type"`
	SourceURL   string    `json:"source_url"`
	Name        string    `json:"name"`
	Namespace   string    `json:"namespace"`
	Shared      bool      `json:"shared,omitempty"`
	MaxVersions int       `json:"max_versions"`
	Created     time.Time `json:"created"`
	Deleted     time.Time `json:"deleted,omitzero"` // zero if it is wanted
	Fetch       fetch     `json:"fetch"`
}

// fetch says that an artifact shall be fetched, or looked at again, by a node. Each wish has the next number.
type fetch struct {
	Generation int64  `json:"generation"`
	Node       string `json:"node"`
}

// status is what came of it, at "artifact-status/<uuid>". The node that fetches writes it, and whoever adds or drops a version.
type status struct {
	State State      `json:"state"`           // Created or Error; "" if nothing came of it yet
	Error string     `json:"error,omitempty"` // of the last fetch, if State is Error
	Kind  fault.Kind `json:"kind,omitempty"`  // of that error
	Done  int64      `json:"done"`            // the generation that was fetched last, well or not
	Index int        `json:"index"`           // the highest that a version ever had
	From  origin     `json:"from,omitzero"`   // of the newest version; zero if it was not fetched
}

// origin says where content came from and how its source names this content, to ask whether there is a newer one.
type origin struct {
	URL          string `json:"url"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"` // as the server wrote it
	Length       int64  `json:"length"`                  // bytes; -1 if the server didn't say
}

// version is a version of an artifact, at "artifact-version/<uuid>/<index>".
type version struct {
	Blob    string    `json:"blob"`
	Created time.Time `json:"created"`
	Upload  string    `json:"upload,omitempty"` // UUID of what was uploaded and became it
}

// claim makes an artifact the only one of its namespace, type and URL, at "artifact-url/<namespace>/<type>/<hash>".
type claim struct {
	Artifact string `json:"artifact"`
}

func claimRow(r record) string {
	sum := sha256.Sum256([]byte(r.SourceURL))
	return r.Namespace + "/" + string(r.Type) + "/" + hex.EncodeToString(sum[:])
}

// versionRow pads the index so that versions sort by it.
func versionRow(artifact string, index int) string { return fmt.Sprintf("%s/%012d", artifact, index) }

func indexOf(versionRow string) int {
	_, index, _ := strings.Cut(versionRow, "/")
	n, _ := strconv.Atoi(index) // written by versionRow
	return n
}

func artifactOf(versionRow string) string {
	id, _, _ := strings.Cut(versionRow, "/")
	return id
}

// owner is what a version is to its blob.
func (m *Manager) owner(versionRow string) blob.Owner {
	return blob.Owner{Kind: blob.Version, ID: versionRow}
}

func (m *Manager) addIndexes() {
	m.rows.Index("name", func(r row) []string { return active(r, r.Value.Name) })
	m.rows.Index("url", func(r row) []string { return active(r, urlKey(r.Value.Type, r.Value.SourceURL)) })
	m.rows.Index("deleted", func(r row) []string {
		if r.Value.Deleted.IsZero() {
			return nil
		}
		return []string{r.Value.Fetch.Node}
	})
	m.rows.Index("node", func(r row) []string { return []string{r.Value.Fetch.Node} })
	m.rows.Index("of", instancesOf)
	m.versions.Index("artifact", func(r view.Row[version]) []string { return []string{artifactOf(r.ID)} })
	m.versions.Index("upload", func(r view.Row[version]) []string {
		if r.Value.Upload == "" {
			return nil
		}
		return []string{r.Value.Upload}
	})
}

func urlKey(t Type, url string) string { return string(t) + " " + url }

func active(r row, key string) []string {
	if !r.Value.Deleted.IsZero() {
		return nil
	}
	return []string{key}
}
