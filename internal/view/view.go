// Package view keeps every object of the cloud in memory, current by one watch of the store.
//
// Managers register a Table per kind of record and read from it; lists cost no store traffic. Commits go through the
// view too: it adds the head key that barriers wait for, and returns when this process sees its own commit.
package view

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Prefix begins every key that the view watches. Keys outside it (events, claims) are never held in memory.
const Prefix = "o/"

// head is put by every commit that touches a watched key. A reader who has seen the revision of the newest head has
// seen every such commit; commits that only write elsewhere don't make it wait.
const head = Prefix + "head"

// Patience bounds how long a read waits to become fresh, and a commit to be seen.
const Patience = 5 * time.Second

// View is the memory of one process.
type View struct {
	store store.Store
	log   *slog.Logger

	mu      sync.RWMutex
	loaded  bool           // guarded by mu; the first load is complete
	applied store.Revision // guarded by mu; everything up to here is in the tables
	whole   store.Revision // guarded by mu; from here on the tables are of one moment, and not of a load's several pages
	changed chan struct{}  // guarded by mu; closed at each change, then replaced
	tables  []table        // fixed before Run

	barrier barrier
	open    chan struct{} // closed by Open
}

// table is what the view needs of a Table, whatever its type.
type table interface {
	keyPrefix() string
	put(key string, value []byte, r store.Revision) error // guarded by View.mu
	delete(key string, r store.Revision)                  // guarded by View.mu
	absent(seen map[string]bool) []string                 // keys held that seen lacks; guarded by View.mu
	notify(key string)                                    // without any lock
}

// New returns a view of s that holds nothing until Run.
func New(s store.Store, log *slog.Logger) *View {
	return &View{store: s, log: log, changed: make(chan struct{}), open: make(chan struct{})}
}

// Open lets the callers of Opened go on: whoever runs the view has everything in place that they rely on.
func (v *View) Open() { close(v.open) }

// Opened waits for Open. It fails with fault.Unavailable if that takes longer than Patience.
func (v *View) Opened(ctx context.Context) error {
	select {
	case <-v.open:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeoutCause(ctx, Patience, errStale)
	defer cancel()
	select {
	case <-v.open:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Store returns the store beneath, for keys outside the view.
func (v *View) Store() store.Store { return v.store }

// Run keeps the view current until ctx ends. A store that does not answer is asked again.
func (v *View) Run(ctx context.Context) {
	for pause := 50 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 2*time.Second) {
		err := v.load(ctx)
		for err == nil {
			pause = 50 * time.Millisecond
			err = v.follow(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, store.ErrCompacted) {
			v.log.WarnContext(ctx, "reading the state store failed, trying again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// load reads everything. The pages may be of different revisions: following from the first one's replays the rest, and
// nobody calls the view fresh before that.
func (v *View) load(ctx context.Context) error {
	seen := map[string]bool{}
	var start, whole store.Revision
	pages := 0
	for after := ""; ; pages++ {
		page, err := v.store.List(ctx, Prefix, after, store.MaxPage)
		if err != nil {
			return err
		}
		if start == 0 {
			start = page.Revision
		}
		batches := make([]store.Batch, len(page.Entries))
		for i, e := range page.Entries {
			seen[e.Key] = true
			batches[i] = store.Batch{Revision: e.Revision, Changes: []store.Change{{Key: e.Key, Value: e.Value}}}
		}
		v.apply(false, batches...)
		v.notify(batches...)
		if !page.More {
			break
		}
		after = page.Entries[len(page.Entries)-1].Key
	}
	v.forget(seen, start)
	if pages > 0 {
		var err error
		if whole, err = v.headRevision(ctx); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.loaded = true
	v.applied, v.whole = max(v.applied, start), whole
	v.broadcast()
	return nil
}

// forget drops what a load did not find any more.
func (v *View) forget(seen map[string]bool, at store.Revision) {
	var gone []string
	v.mu.RLock()
	for _, t := range v.tables {
		gone = append(gone, t.absent(seen)...)
	}
	v.mu.RUnlock()
	if len(gone) == 0 {
		return
	}
	b := store.Batch{Revision: at}
	for _, k := range gone {
		b.Changes = append(b.Changes, store.Change{Key: k, Deleted: true})
	}
	v.apply(false, b)
	v.notify(b)
}

// follow applies the store's changes until the watch breaks. It returns nil if it should be called again.
func (v *View) follow(ctx context.Context) error {
	v.mu.RLock()
	from := v.applied
	v.mu.RUnlock()
	for b, err := range v.store.Watch(ctx, Prefix, from) {
		if err != nil {
			return err
		}
		v.apply(true, b)
		v.notify(b)
	}
	return ctx.Err()
}

// apply puts batches into the tables at once, so that no reader sees half a commit. With advance the view has then seen
// everything up to them.
func (v *View) apply(advance bool, batches ...store.Batch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, b := range batches {
		for _, c := range b.Changes {
			v.change(c, b.Revision)
		}
		if advance {
			v.applied = max(v.applied, b.Revision)
		}
	}
	if advance {
		v.broadcast()
	}
}

// change puts one change into its table; mu is held.
func (v *View) change(c store.Change, r store.Revision) {
	t := v.tableOf(c.Key)
	switch {
	case t == nil:
	case c.Deleted:
		t.delete(c.Key, r)
	default:
		if err := t.put(c.Key, c.Value, r); err != nil {
			v.log.Error("unreadable record skipped", slog.String("key", c.Key), slog.Any("error", err))
		}
	}
}

func (v *View) notify(batches ...store.Batch) {
	for _, b := range batches {
		for _, c := range b.Changes {
			if t := v.tableOf(c.Key); t != nil {
				t.notify(c.Key)
			}
		}
	}
}

// broadcast wakes every waiter; mu is held.
func (v *View) broadcast() {
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *View) tableOf(key string) table {
	for _, t := range v.tables {
		if strings.HasPrefix(key, t.keyPrefix()) {
			return t
		}
	}
	return nil
}

// Fresh waits until the view holds everything committed, by whatever process, before the call. It fails with
// fault.Unavailable if that takes longer than Patience.
func (v *View) Fresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, Patience, errStale)
	defer cancel()
	r, err := v.barrier.do(ctx, v.headRevision)
	if err != nil {
		return fault.Wrap("view.Fresh", "", err)
	}
	return v.reach(ctx, r)
}

var errStale = fault.New("view.Fresh", fault.Unavailable, "",
	"the state store did not answer in %s; check that it runs and that the cloud was started", Patience)

func (v *View) headRevision(ctx context.Context) (store.Revision, error) {
	e, err := v.store.Get(ctx, head)
	if errors.Is(err, fault.NotFound) {
		return 0, nil // nothing was ever committed
	}
	return e.Revision, err
}

// reach waits until the first load is complete and revision r is applied.
func (v *View) reach(ctx context.Context, r store.Revision) error {
	return v.await(ctx, func() bool { return v.loaded && v.applied >= max(r, v.whole) })
}

// Await waits until cond holds. It is called again after every change; it may read tables.
func (v *View) Await(ctx context.Context, cond func() bool) error {
	for {
		v.mu.RLock()
		changed := v.changed
		v.mu.RUnlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// await is Await for a cond that needs mu held and reads no table.
func (v *View) await(ctx context.Context, cond func() bool) error {
	for {
		v.mu.RLock()
		changed, ok := v.changed, cond()
		v.mu.RUnlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
