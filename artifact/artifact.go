// Package artifact keeps named, versioned content: images, snapshots of disks, labels, files. It knows where each comes from,
// which versions of it are kept, and who may use it. Each version is a blob.
//
// An artifact is found by its type and its source. For what was uploaded, labelled or copied from a disk, that is a URL of
// the scheme sf, by which disks of instances name it, see [Manager.Resolve].
//
// Caching an image, or asking for one while an instance is created, only records that a fetch is wanted. A loop fetches: one
// download serves all who wait for it, an image that its source has not changed is not downloaded again, and a source
// that can't be reached takes nothing away that is there.
package artifact

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/lookup"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/namespace"
)

// Type says what an artifact is.
type Type string

// The types.
const (
	Image    Type = "image"    // bootable; fetched from a URL, or uploaded
	Snapshot Type = "snapshot" // copies of an instance's disk
	Label    Type = "label"    // a name for blobs, of which the newest counts
	Other    Type = "other"    // any bytes, uploaded
)

// Artifact is content under a name, and its versions.
type Artifact struct {
	ID          string // UUID, lower case
	Type        Type
	SourceURL   string // as it was asked for: a URL, or a shorthand such as debian:12; it may hold a secret, so it is for its owner
	Name        string
	Namespace   string
	Shared      bool // every namespace may use it
	MaxVersions int  // older ones are dropped
	State       State
	Error       string    // what went wrong and what to do; "" unless State is Error
	Created     time.Time // when it was asked for first
	Deleted     time.Time // zero unless State is Deleted
	Versions    []Version // ascending by index
	Fetching    string    // the node that fetches it, or shall; "" while none has to
}

// Version is one content that an artifact had.
type Version struct {
	Index   int    // from 1; numbers are not used again
	Blob    string // UUID of the content
	Created time.Time
}

// Newest returns the newest version, if there is one.
func (a Artifact) Newest() (Version, bool) {
	if len(a.Versions) == 0 {
		return Version{}, false
	}
	return a.Versions[len(a.Versions)-1], true
}

// Get returns an artifact in whatever state. It fails with fault.NotFound.
func (m *Manager) Get(_ context.Context, id string) (Artifact, error) {
	a, ok := m.get(id)
	if !ok {
		return Artifact{}, errNotFound("artifact.Get", id)
	}
	return a, nil
}

func (m *Manager) get(id string) (Artifact, bool) {
	row, ok := m.rows.Get(id)
	if !ok {
		return Artifact{}, false
	}
	r, s := row.Value, m.status(id)
	a := Artifact{
		ID: id, Type: r.Type, SourceURL: r.SourceURL, Name: r.Name, Namespace: r.Namespace, Shared: r.Shared,
		MaxVersions: r.MaxVersions, State: stateOf(r, s), Created: r.Created, Deleted: r.Deleted, Versions: m.versionsOf(id),
	}
	if a.State == Error {
		a.Error = s.Error
	}
	if a.State != Deleted && s.Done < r.Fetch.Generation {
		a.Fetching = r.Fetch.Node
	}
	return a, true
}

// Guard is the metadata.Guard of artifacts.
func (m *Manager) Guard(tx *view.Txn, id string) error {
	row, ok := m.rows.Get(id)
	if !ok {
		return errNotFound("artifact.Guard", id)
	}
	tx.Check(m.rows.At(row, id))
	return nil
}

// Versions returns an artifact's versions, ascending by index. It fails with fault.NotFound if there is no such artifact.
func (m *Manager) Versions(_ context.Context, id string) ([]Version, error) {
	if _, ok := m.rows.Get(id); !ok {
		return nil, errNotFound("artifact.Versions", id)
	}
	return m.versionsOf(id), nil
}

// List returns the artifacts that the caller may use and that are not deleted, ascending by ID.
func (m *Manager) List(_ context.Context, caller string) []Artifact {
	artifacts := []Artifact{}
	for _, row := range m.rows.All() {
		if row.Value.Deleted.IsZero() && m.usable(row.Value.Namespace, caller, row.Value.Shared) {
			if a, ok := m.get(row.ID); ok {
				artifacts = append(artifacts, a)
			}
		}
	}
	return artifacts
}

// usable reports whether a namespace may use what owner owns.
func (m *Manager) usable(owner, caller string, shared bool) bool {
	return shared || m.Namespaces.Trusts(owner, caller)
}

// Find returns the artifact that ref, a UUID or a name, means to a caller who wants to use it: of several of a name their
// own comes first, then those of namespaces that trust them, then shared ones. It fails with fault.NotFound and, if a
// name is ambiguous, with fault.Invalid.
func (m *Manager) Find(_ context.Context, caller, ref string) (Artifact, error) {
	return m.finder(caller, m.shared).Find(caller, ref)
}

// FindOwned is Find for a caller who wants to change the artifact: shared ones of others are not found.
func (m *Manager) FindOwned(_ context.Context, caller, ref string) (Artifact, error) {
	return m.finder(caller).Find(caller, ref)
}

func (m *Manager) finder(caller string, more ...func(string, Artifact) bool) lookup.Finder[Artifact] {
	trusted := func(owner string, a Artifact) bool {
		return m.Namespaces.Trusts(owner, caller) && (caller == system || !m.Namespaces.Predates(owner, a.Deleted))
	}
	tiers := []func(string, Artifact) bool{
		func(owner string, _ Artifact) bool { return owner == caller },
		trusted,
	}
	for _, f := range more {
		tiers = append(tiers, func(owner string, a Artifact) bool { return trusted(owner, a) || f(owner, a) })
	}
	return lookup.Finder[Artifact]{
		Kind: "artifact", ByID: m.get, ByName: m.named,
		Namespace: func(a Artifact) string { return a.Namespace },
		Tiers:     tiers,
	}
}

func (m *Manager) shared(_ string, a Artifact) bool { return a.Shared }

func (m *Manager) named(name string) []Artifact {
	var hits []Artifact
	for _, row := range m.rows.By("name", name) {
		if a, ok := m.get(row.ID); ok {
			hits = append(hits, a)
		}
	}
	return hits
}

func (m *Manager) versionsOf(id string) []Version {
	versions := []Version{}
	for _, row := range m.versions.By("artifact", id) {
		versions = append(versions, Version{Index: indexOf(row.ID), Blob: row.Value.Blob, Created: row.Value.Created})
	}
	return versions
}

// status returns what was observed of an artifact; the zero status if nothing was yet.
func (m *Manager) status(id string) status {
	row, _ := m.statuses.Get(id)
	return row.Value
}

func errNotFound(op, id string) error { return fault.New(op, fault.NotFound, id, "artifact not found") }

func about(id string) event.Object { return event.Object{Kind: "artifact", ID: id} }

// system may share artifacts.
const system = namespace.System

type row = view.Row[record]
