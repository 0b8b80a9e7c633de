package etcdstore

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Watch implements store.Store. What etcd says about its own health does not end it: it goes on from the last revision
// that was yielded, as soon as an etcd serves again.
func (s *Store) Watch(ctx context.Context, prefix string, after store.Revision) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		pause := backoff.NewExponentialBackOff()
		pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, 2*time.Second
		w := watcher{store: s, prefix: prefix, after: after, yield: yield}
		for w.once(ctx) {
			if w.progress {
				pause.Reset()
			}
			select {
			case <-ctx.Done():
				return
			case <-s.closing:
			case <-time.After(pause.NextBackOff()):
			}
		}
	}
}

// watcher is where a watch has got to.
type watcher struct {
	store    *Store
	prefix   string
	after    store.Revision // the last one yielded
	yield    func(store.Batch, error) bool
	progress bool // the present attempt reached an etcd
}

// once watches until etcd breaks it off. It returns false when the watch is over.
func (w *watcher) once(ctx context.Context) bool {
	const op = "store.Watch"
	s := w.store
	w.progress = false
	// Without a leader an etcd member would keep the watch open and silent; so it breaks it off, and we ask another.
	rpc, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	answers := s.client.Watch(rpc, s.prefix+w.prefix, clientv3.WithPrefix(), clientv3.WithRev(int64(w.after)+1))
	for {
		select {
		case <-ctx.Done():
			return false
		case <-s.closing:
			w.yield(store.Batch{}, fault.New(op, fault.Unavailable, "", "the state store was closed"))
			return false
		case a, open := <-answers:
			switch {
			case !open:
				return ctx.Err() == nil
			case a.CompactRevision != 0:
				w.yield(store.Batch{}, fault.Because(op, fault.Conflict, "", store.ErrCompacted,
					"revision %d is too old to watch from, the history begins at %d", w.after, a.CompactRevision))
				return false
			case a.Err() != nil:
				if ctx.Err() == nil {
					s.log.LogAttrs(ctx, slog.LevelWarn, "etcd broke a watch off, taking it up again",
						slog.String("prefix", w.prefix), slog.Int64("after", int64(w.after)), slog.Any("error", a.Err()))
				}
				return ctx.Err() == nil
			}
			w.progress = true
			if !w.pass(ctx, a.Events) {
				return false
			}
		}
	}
}

// pass yields the events of one answer. An answer holds whole revisions, possibly several, ascending.
func (w *watcher) pass(ctx context.Context, events []*clientv3.Event) bool {
	for len(events) > 0 {
		revision, n := events[0].Kv.ModRevision, 1
		for n < len(events) && events[n].Kv.ModRevision == revision {
			n++
		}
		b := store.Batch{Revision: store.Revision(revision), Changes: make([]store.Change, n)}
		for i, e := range events[:n] {
			c := store.Change{Key: string(e.Kv.Key[len(w.store.prefix):]), Deleted: e.Type == clientv3.EventTypeDelete}
			if !c.Deleted {
				c.Value = bytes.Clone(e.Kv.Value) // an embedded server gives all watches the same bytes
			}
			b.Changes[i] = c
		}
		w.store.counts.events.Add(uint64(n))
		w.after, events = b.Revision, events[n:]
		if ctx.Err() != nil || !w.yield(b, nil) {
			return false
		}
	}
	return true
}
