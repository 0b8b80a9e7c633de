package artifact

import (
	"context"
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
	stored     *blob.Stored // new content, on disk and protected; nil if there is none
	from       origin       // of stored
	err        error        // why there is none, if the source did not say that it has nothing new
}

// fetch brings an artifact to the generation that is wanted.
func (m *Manager) fetch(ctx context.Context, row row) error {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	m.mu.Lock()
	o := m.fetched[row.ID]
	m.mu.Unlock()
	if o == nil {
		if o = m.download(ctx, row); ctx.Err() != nil && o.stored == nil {
			return context.Cause(ctx) // cut off, which says nothing about the source
		}
		m.mu.Lock()
		m.fetched[row.ID] = o
		m.mu.Unlock()
	}
	if err := m.View.Retry(ctx, func() error { return m.conclude(ctx, row.ID, o) }); err != nil {
		return err
	}
	m.settle(row.ID)
	return nil
}

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
	if !ok || !row.Value.Deleted.IsZero() || m.isConcluded(ctx, id, o) {
		return nil
	}
	was, _ := m.statuses.Get(id)
	now := was.Value
	now.Done, now.Error, now.Kind = o.generation, "", ""
	tx := view.Txn{Name: "conclude fetch", Ref: id}
	tx.Check(m.rows.At(row, id), m.statuses.At(was, id))
	message, extra := m.judge(ctx, &tx, row, &now, o)
	if err := m.move(ctx, &tx, id, stateOf(row.Value, was.Value), now.State, event.Status, message, extra); err != nil {
		return err
	}
	tx.Do(m.statuses.Put(id, now))
	return m.commit(ctx, tx)
}

// isConcluded reports whether a commit whose answer was lost has succeeded.
func (m *Manager) isConcluded(ctx context.Context, id string, o *outcome) bool {
	if o.stored == nil {
		return m.status(id).Done >= o.generation
	}
	_, err := m.Blobs.Get(ctx, o.stored.ID)
	return err == nil
}

// judge decides what an outcome makes of the artifact, adds that to tx and to its status, and says it for people. What is
// there is never taken away by a fetch that failed.
func (m *Manager) judge(ctx context.Context, tx *view.Txn, row row, s *status, o *outcome) (string, map[string]any) {
	have, index, usable := m.newest(ctx, row.ID)
	took := map[string]any{"seconds": time.Since(o.began).Seconds()}
	switch {
	case o.err != nil && usable:
		took["version"], took["error"] = index, fault.Text(o.err)
		s.State = Created
		return "image could not be looked at again, using the version that is there", took
	case o.err != nil:
		s.State, s.Error, s.Kind = Error, fault.Text(o.err), fault.KindOf(o.err)
		took["error"] = s.Error
		return "image fetch failed", took
	case o.stored == nil:
		took["version"] = index
		s.State = Created
		return "image unchanged at its source", took
	}
	s.State, s.From = Created, o.from
	if usable && have.SHA512 == o.stored.SHA512 {
		took["version"] = index
		return "image unchanged: its source sent the same content", took
	}
	s.Index++
	v := versionRow(row.ID, s.Index)
	m.Blobs.Record(ctx, tx, o.stored, m.owner(v))
	tx.Do(m.versions.Put(v, version{Blob: o.stored.ID, Created: time.Now()}))
	old := m.versions.By("artifact", row.ID)
	m.drop(tx, old[:max(0, min(len(old)+1-row.Value.MaxVersions, perCommit))])
	took["version"], took["blob"], took["bytes"], took["sha512"] = s.Index, o.stored.ID, o.stored.Size, o.stored.SHA512
	return "image fetched", took
}

// download gets what the source has, asking again while the fault may pass and the source gets further.
func (m *Manager) download(ctx context.Context, row row) *outcome {
	o := &outcome{generation: row.Value.Fetch.Generation, began: time.Now()}
	bounded, cancel := context.WithTimeoutCause(ctx, m.MaxFetch,
		fault.New("fetch image", fault.Unavailable, row.ID, "it took longer than %s in all", m.MaxFetch))
	defer cancel()
	_, _, usable := m.newest(ctx, row.ID)
	d := downloader{m: m, id: row.ID, source: row.Value.SourceURL, window: newWindow(m.Patience)}
	if usable {
		d.known = m.status(row.ID).From
		d.window.until = time.Now().Add(m.Patience / 4) // what is there will do if the source is away
	}
	for {
		err := d.try(bounded, o)
		if err == nil {
			return o
		}
		pause, again := d.window.next(err)
		if usable && d.window.best == 0 {
			again = false
		}
		if !again || !d.rest(bounded, err, pause) {
			o.err = fault.Because("fetch image", fault.KindOf(err), row.ID, err, "fetch image %s%s", redact(row.Value.SourceURL), d.window.tried(o.began))
			return o
		}
	}
}
