package artifact

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/lookup"
	"github.com/shakenfist/shakenfist/internal/view"
)

// AddRequest is content that shall be an artifact, or the next version of one. It has either Blob or Stored.
type AddRequest struct {
	Caller    string          // who wants it; "" means Namespace
	Name      string          // of a new artifact; without a slash
	SourceURL string          // which artifact it is, with Type; "" means sf://upload/<Caller>/<Name>
	Namespace string          // whose it becomes if there is none yet; required
	Shared    bool            // every namespace may use it; for the namespace system only
	Type      Type            // Image or Other; "" means Image
	Blob      string          // UUID of a live blob
	Stored    *blob.Stored    // or what was stored and becomes one, on this node; Add does not let it go
	Upload    string          // UUID of the upload that Stored was; "" if it was none
	With      func(*view.Txn) // adds what else is in the commit; nil for nothing
}

// Add adds a version to the artifact of this type and source that the caller may change, the namespace's own first, or makes
// a new one, and returns it. Content that the newest version has adds none. It fails with fault.Invalid naming the field that
// is wrong, with fault.Forbidden if the type is none of uploads or the namespace may not share, with fault.NotFound if there
// is no such blob or namespace, and with fault.Conflict if several artifacts of others have this source.
func (m *Manager) Add(ctx context.Context, r AddRequest) (Artifact, error) {
	const op = "artifact.Add"
	if err := m.fillIn(ctx, &r); err != nil {
		return Artifact{}, err
	}
	rec := record{
		Type: r.Type, SourceURL: r.SourceURL, Name: r.Name, Namespace: r.Namespace, Shared: r.Shared,
		MaxVersions: m.MaxVersions, Created: time.Now(), Fetch: fetch{Node: m.Node},
	}
	c := content{blob: r.Blob, stored: r.Stored, upload: r.Upload}
	if c.stored == nil && r.Type == Image {
		var err error
		if c.stored, err = m.asImage(ctx, r.Blob); err != nil {
			return Artifact{}, fault.Wrap(op, r.Name, err)
		}
		if c.stored != nil {
			defer c.stored.Done()
		}
	}
	if c.stored != nil {
		c.blob = c.stored.ID
		if _, err := m.Blobs.Repair(ctx, c.stored); err != nil {
			return Artifact{}, fault.Wrap(op, r.Name, err)
		}
	}
	a := addition{rec: rec, content: c, with: r.With}
	a.match = func() (row, bool, error) { return m.matchToChange(r) }
	made, err := m.commitAddition(ctx, "add artifact version", a)
	return made, fault.Wrap(op, r.Name, err)
}

// asImage looks whether a blob that was stored as any bytes is an image. If so it is stored as one: the file gets one more
// name. It returns nil for a blob that is an image already, or that is not there.
func (m *Manager) asImage(ctx context.Context, id string) (*blob.Stored, error) {
	b, err := m.Blobs.Get(ctx, id)
	if err != nil || b.State == blob.Deleted || b.Kind != blob.Other {
		return nil, nil //nolint:nilerr // whoever refers to it hears that it is not there
	}
	if !slices.Contains(b.Locations, m.Node) {
		return nil, fault.New("artifact.Add", fault.Unavailable, id, "the content of blob %s is on %s; ask there", id, strings.Join(b.Locations, ", "))
	}
	return m.Blobs.IngestFile(ctx, m.Blobs.Path(id), blob.Content{Size: b.Size})
}

// Uploaded returns the artifact that an upload became, if a caller who may change it asks. Whoever did not hear the answer to
// Add, and has no upload any more, asks for it again.
func (m *Manager) Uploaded(caller, upload string) (Artifact, bool) {
	id, _ := lookup.UUID(upload)
	for _, v := range m.versions.By("upload", id) {
		a, ok := m.get(artifactOf(v.ID))
		if ok && a.State == Created && m.Namespaces.Trusts(a.Namespace, caller) {
			return a, true
		}
	}
	return Artifact{}, false
}

// ValidateAdd fails as Add would before it looks at any content.
func (m *Manager) ValidateAdd(ctx context.Context, r AddRequest) error { return m.fillIn(ctx, &r) }

// fillIn fills in what is empty, and validates.
func (m *Manager) fillIn(ctx context.Context, r *AddRequest) error {
	const op = "artifact.Add"
	if r.Type == "" {
		r.Type = Image
	}
	// UUIDs are known by their usual form.
	r.Blob, r.Upload = usual(r.Blob), usual(r.Upload)
	if r.Caller == "" {
		r.Caller = r.Namespace
	}
	if r.Type != Image && r.Type != Other {
		return fault.New(op, fault.Forbidden, "", "artifact_type %.80q cannot be uploaded; use %s or %s", r.Type, Image, Other)
	}
	if r.Shared && r.Namespace != system {
		return fault.New(op, fault.Forbidden, "", "only the system namespace can create shared artifacts")
	}
	if err := validateName("artifact name", r.Name); err != nil {
		return err
	}
	if _, err := m.Namespaces.Get(ctx, r.Namespace); err != nil || !m.Namespaces.Trusts(r.Namespace, r.Caller) {
		return errNoNamespace(op, r.Namespace)
	}
	if r.SourceURL == "" {
		r.SourceURL = uploadScheme + r.Caller + "/" + r.Name
		return nil
	}
	return m.validateSource(r.Caller, r.SourceURL)
}

func usual(ref string) string {
	if id, ok := lookup.UUID(ref); ok {
		return id
	}
	return ref
}

// matchToChange is match for content that did not come from the source itself: an artifact that the caller may only read is
// none of theirs to add to.
func (m *Manager) matchToChange(r AddRequest) (row, bool, error) {
	if own, ok := m.own(r.Type, r.SourceURL, r.Namespace); ok || r.Namespace == system {
		return own, ok, nil
	}
	var foreign []row
	for _, row := range m.rows.By("url", urlKey(r.Type, r.SourceURL)) {
		if owner := row.Value.Namespace; m.Namespaces.Trusts(owner, r.Caller) && m.Namespaces.Trusts(owner, r.Namespace) {
			foreign = append(foreign, row)
		}
	}
	if len(foreign) > 1 {
		return row{}, false, fault.New("artifact.Add", fault.Conflict, "",
			"%d artifacts of other namespaces come from %s and none of namespace %q: have all but one deleted, or name another source_url",
			len(foreign), redact(r.SourceURL), r.Namespace)
	}
	if len(foreign) == 1 {
		return foreign[0], true, nil
	}
	return row{}, false, nil
}

// addition is a version that shall be added.
type addition struct {
	rec         record                    // of the artifact if there is none yet
	match       func() (row, bool, error) // finds it
	content     content
	maxVersions int             // to be kept from now on; 0 for no change
	with        func(*view.Txn) // nil for nothing
}

// commitAddition adds a version in one commit with all that goes with it, and returns the artifact.
func (m *Manager) commitAddition(ctx context.Context, name string, a addition) (Artifact, error) {
	var id string
	err := m.View.Retry(ctx, func() error {
		tx := view.Txn{Name: name, Ref: a.content.blob}
		if a.with != nil {
			a.with(&tx)
		}
		row, ok, err := a.match()
		if err != nil {
			return err
		}
		if ok {
			id, err = row.ID, m.extend(ctx, &tx, row, a)
		} else {
			id, err = m.begin(ctx, &tx, a)
		}
		if err != nil || len(tx.Ops) == 0 {
			return err
		}
		if a.content.stored != nil {
			m.Fence.Guard(&tx)
		}
		_, err = m.View.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return Artifact{}, err
	}
	return m.Get(ctx, id)
}

// begin adds to tx a new artifact with its first version.
func (m *Manager) begin(ctx context.Context, tx *view.Txn, a addition) (string, error) {
	id, err := m.add(ctx, tx, a.rec)
	if err == nil {
		_, err = m.addVersion(ctx, tx, id, a.rec, m.thrifty(a.content), event.Audit)
	}
	return id, err
}

// extend adds to tx a version of an artifact that is there, and what else changes of it.
func (m *Manager) extend(ctx context.Context, tx *view.Txn, row row, a addition) error {
	r := row.Value
	r.Shared = r.Shared || a.rec.Shared
	if a.maxVersions != 0 {
		r.MaxVersions = a.maxVersions
	}
	changed := r != row.Value
	if changed {
		tx.Do(m.rows.Put(row.ID, r))
	}
	c := m.thrifty(a.content)
	if m.isNewest(ctx, row.ID, c) {
		m.attribute(tx, row.ID, c.upload)
		if !changed {
			return nil
		}
		tx.Check(m.rows.At(row, row.ID))
		state := stateOf(r, m.status(row.ID))
		return m.move(ctx, tx, row.ID, state, state, event.Audit, "changed", map[string]any{"max_versions": r.MaxVersions, "shared": r.Shared})
	}
	tx.Check(m.rows.At(row, row.ID))
	_, err := m.addVersion(ctx, tx, row.ID, r, c, event.Audit)
	return err
}

// attribute adds to tx that an upload became the newest version of an artifact, which had that content already: whoever did not
// hear the answer asks by the upload.
func (m *Manager) attribute(tx *view.Txn, id, upload string) {
	versions := m.versions.By("artifact", id)
	if upload == "" || len(versions) == 0 {
		return
	}
	newest := versions[len(versions)-1]
	v := newest.Value
	v.Upload = upload
	tx.Check(m.versions.At(newest, newest.ID))
	tx.Do(m.versions.Put(newest.ID, v))
}

// thrifty returns the content as a blob that is there already, if there is one of the same bytes: space is used once.
func (m *Manager) thrifty(c content) content {
	if c.stored == nil {
		return c
	}
	if twin, ok := m.Blobs.Twin(c.stored); ok {
		c.blob, c.stored = twin, nil
	}
	return c
}

// isNewest reports whether an artifact's newest version is this content.
func (m *Manager) isNewest(ctx context.Context, id string, c content) bool {
	have, _, usable := m.newest(ctx, id)
	switch {
	case !usable:
		return false
	case have.ID == c.blob:
		return true
	case c.stored != nil:
		return have.SHA512 == c.stored.SHA512
	}
	b, err := m.Blobs.Get(ctx, c.blob)
	return err == nil && b.State != blob.Deleted && b.SHA512 != "" && b.SHA512 == have.SHA512
}
