package artifact

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// Request asks for an image to be fetched.
type Request struct {
	URL       string // http or https, or a shorthand such as debian:12
	Namespace string // whose it becomes if there is none yet
	Shared    bool   // every namespace may use it; for the namespace system only
}

// Wanted names a fetch that somebody waits for.
type Wanted struct {
	ArtifactID string `json:"artifact"`
	Generation int64  `json:"generation"`
}

// Cache records that an image shall be fetched, or looked at again if it is there, and returns its artifact: one that the
// namespace may use already, or a new one. It fails with fault.Invalid naming the field that is wrong, with
// fault.Forbidden if the namespace may not share, with fault.NotFound if there is no such namespace, and with
// fault.Conflict if several artifacts of others come from this URL.
func (m *Manager) Cache(ctx context.Context, r Request) (Artifact, error) {
	const op = "artifact.Cache"
	var w Wanted
	err := m.View.Retry(ctx, func() (err error) {
		tx := view.Txn{Name: "cache artifact"}
		if w, err = m.want(ctx, &tx, r); err != nil || len(tx.Ops) == 0 {
			return err
		}
		tx.Ref = w.ArtifactID
		_, err = m.View.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return Artifact{}, fault.Wrap(op, w.ArtifactID, err)
	}
	return m.Get(ctx, w.ArtifactID)
}

// Want adds to tx that an image shall be fetched, or looked at again if it is there, for the namespace, and says what to
// wait for with Progress. If the commit fails, nothing was wanted. It fails as Cache does. Wanting an image twice in one
// transaction is wanting it once.
func (m *Manager) Want(ctx context.Context, tx *view.Txn, url, namespace string) (Wanted, error) {
	return m.want(ctx, tx, Request{URL: url, Namespace: namespace})
}

func (m *Manager) want(ctx context.Context, tx *view.Txn, r Request) (Wanted, error) {
	if err := validateURL(r.URL, r.Namespace); err != nil {
		return Wanted{}, err
	}
	if r.Shared && r.Namespace != system {
		return Wanted{}, fault.New("artifact.want", fault.Forbidden, "", "only the system namespace can create shared artifacts")
	}
	row, ok, err := m.match(r)
	if err != nil {
		return Wanted{}, err
	}
	if ok {
		return m.refetch(ctx, tx, row, r.Shared)
	}
	return m.create(ctx, tx, r)
}

// match finds the artifact of a URL that a namespace may use, its own first. The system may use every tenant's, and takes
// none of them: what one tenant cached would stand in the operators' way, end when that tenant deletes it, or be shown to all
// others when it is to be shared. Nobody takes what another tenant uploaded in the URL's name: that is the tenant's word for
// what the URL has.
func (m *Manager) match(r Request) (row, bool, error) {
	var foreign []row
	for _, row := range m.rows.By("url", urlKey(Image, r.URL)) {
		switch {
		case row.Value.Namespace == r.Namespace:
			return row, true, nil
		case r.Namespace != system && m.usable(row.Value.Namespace, r.Namespace, row.Value.Shared) && (row.Value.Shared || m.isFetched(row.ID)):
			foreign = append(foreign, row)
		}
	}
	switch len(foreign) {
	case 0:
		return row{}, false, nil
	case 1:
		return foreign[0], true, nil
	}
	return row{}, false, fault.New("artifact.match", fault.Conflict, "",
		"%d artifacts of other namespaces come from %s and none of namespace %q: have all but one deleted, or take the image from another URL", len(foreign), redact(r.URL), r.Namespace)
}

// isFetched reports whether the newest content of an artifact is what its source gave, or what it will give is awaited.
func (m *Manager) isFetched(id string) bool {
	s := m.status(id)
	return s.State != Created || s.From.URL != ""
}

func (m *Manager) create(ctx context.Context, tx *view.Txn, r Request) (Wanted, error) {
	rec := record{
		Type: Image, SourceURL: r.URL, Name: nameOf(r.URL), Namespace: r.Namespace, Shared: r.Shared,
		MaxVersions: m.MaxVersions, Created: time.Now(), Fetch: fetch{Generation: 1, Node: m.Node},
	}
	key := claimRow(rec)
	if c, ok := m.claims.Pending(tx, key); ok {
		return Wanted{ArtifactID: c.Artifact, Generation: 1}, nil
	}
	id, err := m.add(ctx, tx, rec)
	return Wanted{ArtifactID: id, Generation: 1}, err
}

// add adds a new artifact to tx, the only one of its namespace, type and source. It fails with fault.NotFound if there is no
// such namespace.
func (m *Manager) add(ctx context.Context, tx *view.Txn, rec record) (id string, err error) {
	id = uuid.NewString()
	if err := m.Namespaces.Own(tx, rec.Namespace, "artifact", id); err != nil {
		return "", err
	}
	key := claimRow(rec)
	tx.Check(store.Absent(m.claims.Key(key)))
	tx.Do(m.claims.Put(key, claim{Artifact: id}), m.rows.Put(id, rec),
		m.Events.Op(ctx, about(id), event.Audit, "create request", map[string]any{"url": redact(rec.SourceURL), "namespace": rec.Namespace}))
	return id, nil
}

// refetch asks for another look at the source. Whoever comes while a fetch is awaited or under way shares it.
func (m *Manager) refetch(ctx context.Context, tx *view.Txn, row row, share bool) (Wanted, error) {
	if r, ok := m.rows.Pending(tx, row.ID); ok {
		return Wanted{ArtifactID: row.ID, Generation: r.Fetch.Generation}, nil
	}
	tx.Check(m.rows.At(row, row.ID))
	r, s := row.Value, m.status(row.ID)
	under := r.Fetch.Generation > s.Done
	if under && (r.Shared || !share) {
		return Wanted{ArtifactID: row.ID, Generation: r.Fetch.Generation}, nil
	}
	from := stateOf(r, s)
	r.Shared = r.Shared || share
	if !under {
		r.Fetch = fetch{Generation: r.Fetch.Generation + 1, Node: m.Node}
	}
	if err := m.move(ctx, tx, row.ID, from, stateOf(r, s), event.Audit, "fetch request", nil); err != nil {
		return Wanted{}, err
	}
	tx.Do(m.rows.Put(row.ID, r))
	return Wanted{ArtifactID: row.ID, Generation: r.Fetch.Generation}, nil
}

// Progress says how a fetch goes: done when it ended, with the newest version's blob, or with its failure. OnChange tells
// when to ask again. It fails with fault.NotFound if the artifact was deleted.
func (m *Manager) Progress(w Wanted) (blobID string, done bool, err error) {
	const op = "fetch image"
	row, ok := m.rows.Get(w.ArtifactID)
	if !ok || !row.Value.Deleted.IsZero() {
		return "", true, fault.New(op, fault.NotFound, w.ArtifactID, "artifact not found: it was deleted while its image was awaited")
	}
	s := m.status(w.ArtifactID)
	if s.Done < w.Generation {
		return "", false, nil
	}
	if s.State == Error {
		return "", true, fault.New(op, s.Kind, w.ArtifactID, "%s", s.Error)
	}
	versions := m.versionsOf(w.ArtifactID)
	if len(versions) == 0 {
		return "", true, fault.New(op, fault.NotFound, w.ArtifactID, "the artifact has no version; fetch the image again")
	}
	return versions[len(versions)-1].Blob, true, nil
}
