package artifact

import (
	"context"
	"errors"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// outcome is how a fetch ended. It is kept until the store has it: a store that is away costs no second download.
type outcome struct {
	generation int64
	began      time.Time
	known      origin       // what the source was asked by
	stored     *blob.Stored // new content, on disk and protected; nil if there is none
	from       origin       // of stored
	sum        blob.Sum     // by which stored was checked; zero if its source offered none
	err        error        // why there is none, if the source did not say that it has nothing new
	attempts   int          // how often the source was asked
	received   int64        // bytes of its content that came at last
	repaired   int          // blobs whose lost or damaged content this is
}

// fetch brings an artifact to the generation that is wanted.
func (m *Manager) fetch(ctx context.Context, row row) error {
	o := m.kept(row.ID)
	if o == nil {
		end, err := m.turns.take(ctx, row.ID, row.Value.Namespace, m.hostOf(row.Value.SourceURL))
		if end == nil {
			return err
		}
		o = m.download(ctx, row)
		end()
		if ctx.Err() != nil && o.stored == nil {
			return context.Cause(ctx) // cut off, which says nothing about the source
		}
		m.mu.Lock()
		m.fetched[row.ID] = o
		m.mu.Unlock()
	}
	if o.stored != nil {
		n, err := m.Blobs.Repair(ctx, o.stored)
		if o.repaired += n; err != nil {
			return err
		}
	}
	err := m.View.Retry(ctx, func() error { return m.conclude(ctx, row.ID, o) })
	if errors.Is(err, errOutdated) {
		m.loop.Wake(row.ID) // to ask again
		err = nil
	}
	if err != nil {
		return err
	}
	m.settle(row.ID)
	return nil
}

// kept returns how the fetch of an artifact ended that the store does not know of yet; nil if there is none. One that it does
// know of may be left where the answer to the commit was lost, and is none of the fetch that was asked for since.
func (m *Manager) kept(id string) *outcome {
	m.mu.Lock()
	o := m.fetched[id]
	m.mu.Unlock()
	if o != nil && m.isConcluded(id, o) {
		m.settle(id)
		return nil
	}
	return o
}

// errOutdated says that a source has nothing newer than a version that is the newest no more, or whose content was lost.
var errOutdated = errors.New("the version that the source was asked by is not the newest any more")

// settle forgets an outcome. Its content stays if it became a blob.
func (m *Manager) settle(id string) {
	m.mu.Lock()
	o := m.fetched[id]
	delete(m.fetched, id)
	m.mu.Unlock()
	if o != nil && o.stored != nil {
		o.stored.Done()
	}
}

// newest returns the newest version and its blob, if a node has its content.
func (m *Manager) newest(ctx context.Context, id string) (blob.Blob, int, bool) {
	versions := m.versionsOf(id)
	if len(versions) == 0 {
		return blob.Blob{}, 0, false
	}
	v := versions[len(versions)-1]
	b, err := m.Blobs.Get(ctx, v.Blob)
	return b, v.Index, err == nil && m.Blobs.Held(v.Blob)
}

// conclude records an outcome in one commit: blob, version, reference, status, event, and the end of old versions.
func (m *Manager) conclude(ctx context.Context, id string, o *outcome) error {
	row, ok := m.rows.Get(id)
	if !ok || !row.Value.Deleted.IsZero() || m.isConcluded(id, o) {
		return nil
	}
	was, _ := m.statuses.Get(id)
	now := was.Value
	now.Done, now.Error, now.Kind = o.generation, "", ""
	tx := view.Txn{Name: "conclude fetch", Ref: id}
	tx.Check(m.rows.At(row, id), m.statuses.At(was, id))
	message, extra, err := m.judge(ctx, &tx, row, &now, o)
	if err != nil {
		return err
	}
	if err := m.move(ctx, &tx, id, stateOf(row.Value, was.Value), now.State, event.Status, message, extra); err != nil {
		return err
	}
	tx.Do(m.statuses.Put(id, now))
	return m.commit(ctx, tx)
}

// isConcluded reports whether a commit whose answer was lost has succeeded.
func (m *Manager) isConcluded(id string, o *outcome) bool {
	return m.status(id).Done >= o.generation
}

// judge decides what an outcome makes of the artifact, adds that to tx and to its status, and says it for people. What is
// there is never taken away by a fetch that failed.
func (m *Manager) judge(ctx context.Context, tx *view.Txn, row row, s *status, o *outcome) (string, map[string]any, error) {
	have, index, usable := m.newest(ctx, row.ID)
	extra := map[string]any{"seconds": time.Since(o.began).Seconds(), "attempts": o.attempts}
	if usable {
		extra["version"] = index
	}
	switch {
	case o.err != nil:
		extra["error"], extra["received"] = fault.Text(o.err), o.received
		if usable {
			s.State = Created
			return "image could not be looked at again, using the version that is there", extra, nil
		}
		s.State, s.Error, s.Kind = Error, fault.Text(o.err), fault.KindOf(o.err)
		return "image fetch failed", extra, nil
	case o.stored == nil && (!usable || s.From != o.known):
		return "", nil, errOutdated
	case o.stored == nil:
		s.State = Created
		return "image unchanged at its source", extra, m.stay(tx, have.ID, versionRow(row.ID, index))
	}
	s.State, s.From = Created, o.from
	extra["bytes"], extra["received"], extra["sha512"] = o.stored.Size, o.received, o.stored.SHA512
	if o.sum != (blob.Sum{}) {
		extra["checked"] = o.sum.Algorithm // it is what its source says it is
	}
	if o.repaired > 0 {
		extra["repaired"] = o.repaired
	}
	if usable && have.SHA512 == o.stored.SHA512 {
		return "image unchanged: its source sent the same content", extra, m.stay(tx, have.ID, versionRow(row.ID, index))
	}
	s.Index++
	id, err := m.keep(ctx, tx, o.stored, versionRow(row.ID, s.Index))
	if err != nil {
		return "", nil, err
	}
	m.dropOldest(tx, row.ID, s.Index, row.Value.MaxVersions)
	extra["version"], extra["blob"] = s.Index, id
	return "image fetched", extra, nil
}

// stay adds to tx that a version was asked for again just now, so that what guests boot from is kept for them, or made again.
func (m *Manager) stay(tx *view.Txn, blobID, key string) error {
	return m.Blobs.AddRef(tx, blobID, m.ahead(key))
}

// keep adds to tx that stored content is that of a version, and returns its blob: one that has these bytes already, so that
// they take no room twice, or a new one.
func (m *Manager) keep(ctx context.Context, tx *view.Txn, stored *blob.Stored, key string) (blobID string, err error) {
	owner := m.ahead(key)
	blobID, twin := m.Blobs.Twin(stored)
	if twin {
		err = m.Blobs.AddRef(tx, blobID, owner)
	} else {
		blobID = stored.ID
		err = m.Blobs.Record(ctx, tx, stored, owner)
	}
	tx.Do(m.versions.Put(key, version{Blob: blobID, Created: time.Now()}))
	return blobID, err
}

// ahead is what a version that was fetched is to its blob.
func (m *Manager) ahead(key string) blob.Owner {
	owner := m.owner(key)
	owner.Ahead = true
	return owner
}

// download gets what the source has, asking again while the fault may pass and the source gets further.
func (m *Manager) download(ctx context.Context, row row) *outcome {
	const op = "fetch image"
	r := row.Value
	o := &outcome{generation: r.Fetch.Generation, began: time.Now()}
	bounded, cancel := context.WithTimeoutCause(ctx, m.MaxFetch,
		fault.New(op, fault.Unavailable, row.ID, "it took longer than %s in all", m.MaxFetch))
	defer cancel()
	d := downloader{
		m: m, id: row.ID, namespace: r.Namespace, source: r.SourceURL, host: m.hostOf(r.SourceURL), client: m.clientFor(r.Namespace),
		window: newWindow(m.Patience), said: map[string]bool{},
	}
	if _, _, d.usable = m.newest(ctx, row.ID); d.usable {
		d.known = m.status(row.ID).From
		d.window.until = time.Now().Add(m.Patience / 4) // what is there will do if the source is away
	}
	o.known = d.known
	err := d.run(bounded, o)
	if err != nil && bounded.Err() != nil {
		err = context.Cause(bounded) // why it was cut off says more than that it was
	}
	o.attempts = d.window.attempts
	if err != nil {
		o.err = fault.Because(op, fault.KindOf(err), row.ID, err, "fetch image %s%s", redact(r.SourceURL), d.window.tried(o.began))
	}
	return o
}
