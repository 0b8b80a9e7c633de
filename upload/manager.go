package upload

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/lookup"
	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/internal/view"
)

// What the zero values of Deps mean.
const (
	DefaultIdle    = 24 * time.Hour
	DefaultMost    = 256
	DefaultMaxSize = 1 << 40 // bytes
	DefaultWait    = 30 * time.Second
)

// folder is where uploads lie in Deps.Dir.
const folder = "uploads"

// Deps is what a manager needs.
type Deps struct {
	View   *view.View      // required
	Events *event.Recorder // required
	Blobs  *blob.Manager   // required
	Dir    string          // required; absolute; that of Blobs, so that content needs no copying
	Node   string          // required; this node's name
	Fence  view.Fence      // holds while this process speaks for its node; nil: always

	MaxSize int64         // bytes of one upload; 0 means DefaultMaxSize
	Most    int           // unfinished uploads of one namespace; 0 means DefaultMost
	Idle    time.Duration // how long nobody may add to an upload before it expires; 0 means DefaultIdle
	Wait    time.Duration // how long Take waits for the content to be checked; 0 means DefaultWait
	Resync  time.Duration // 0 means reconcile.DefaultResync
	Log     *slog.Logger  // nil discards
}

// Manager keeps the uploads of the cloud, and the files of those to this node.
type Manager struct {
	Deps
	rows *view.Table[record]
	loop reconcile.Loop

	mu   sync.Mutex
	busy map[string]bool // guarded by mu; by upload: somebody writes to it, or removes it
	jobs map[string]*job // guarded by mu; by upload: it is being checked, or was and waits to be recorded
}

// New returns a manager whose table is registered with the view.
func New(d Deps) *Manager {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	d.MaxSize = cmp.Or(d.MaxSize, DefaultMaxSize)
	d.Most = cmp.Or(d.Most, DefaultMost)
	d.Idle = cmp.Or(d.Idle, DefaultIdle)
	d.Wait = cmp.Or(d.Wait, DefaultWait)
	m := &Manager{Deps: d, rows: view.NewTable[record](d.View, "upload"), busy: map[string]bool{}, jobs: map[string]*job{}}
	m.rows.Index("node", func(r row) []string { return []string{r.Value.Node} })
	m.rows.Index("namespace", func(r row) []string { return []string{r.Value.Namespace} })
	m.loop = reconcile.Loop{Name: "uploads", Reconcile: m.reconcile, All: m.ids, Sweep: m.sweep, Resync: d.Resync, Log: d.Log}
	m.rows.OnChange(func(id string) {
		if _, ok := m.rows.Get(id); ok {
			m.loop.Wake(id)
		} else {
			m.loop.Interrupt(id)
		}
	})
	return m
}

// Run checks what is taken, and removes what nobody wants any more, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	if err := os.MkdirAll(filepath.Join(m.Dir, folder), 0o700); err != nil {
		m.Log.ErrorContext(ctx, "the folder for uploads cannot be made; no upload will work", slog.Any("error", err))
	}
	m.loop.Run(ctx)
}

// Busy returns the uploads that are being worked on.
func (m *Manager) Busy() []string { return m.loop.Busy() }

func (m *Manager) ids() []string {
	rows := m.rows.By("node", m.Node)
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

// commit commits tx provided that this process still speaks for its node.
func (m *Manager) commit(ctx context.Context, tx view.Txn) error {
	m.Fence.Guard(&tx)
	_, err := m.View.Commit(ctx, tx)
	return err
}

// acquire lets one caller at a time change the file of an upload, until release; one that is being made a blob changes no more.
// It fails with fault.Conflict.
func (m *Manager) acquire(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy[id] || m.jobs[id] != nil {
		return errBusy(id)
	}
	m.busy[id] = true
	return nil
}

// reserve acquires the upload that ref means, for as long as it is there: by the time that nobody else had its file, it may
// have become an artifact. It fails with fault.NotFound, fault.Unavailable and fault.Conflict.
func (m *Manager) reserve(op, ref string) (row, error) {
	r, err := m.here(op, ref)
	if err != nil {
		return r, err
	}
	if err := m.acquire(r.ID); err != nil {
		return r, err
	}
	if r, err = m.here(op, ref); err != nil {
		id, _ := lookup.UUID(ref)
		m.leave(id)
	}
	return r, err
}

func (m *Manager) release(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.busy, id)
}

// leave is release for callers after whom the loop must look at the upload.
func (m *Manager) leave(id string) {
	m.release(id)
	m.loop.Wake(id)
}

func errBusy(id string) error {
	return fault.New("upload.acquire", fault.Conflict, id,
		"another request adds to upload %s, or makes an artifact of it; wait for its answer, and ask again", id)
}

// isBusy reports whether the file of an upload is in use.
func (m *Manager) isBusy(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.busy[id] || m.jobs[id] != nil
}
