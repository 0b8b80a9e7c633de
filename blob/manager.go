package blob

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// DefaultLinger is how long the record of a deleted blob can be read.
const DefaultLinger = time.Hour

// Folders in Deps.Dir.
const (
	contentDir = "blobs"       // blobs/<first two letters>/<uuid>
	cacheDir   = "image_cache" // image_cache/<uuid>.qcow2 or .iso
)

// Deps is what a manager needs.
type Deps struct {
	View   *view.View         // required
	Events *event.Recorder    // required
	Driver hypervisor.Driver  // required; makes the images guests boot from
	Dir    string             // required; absolute; of this node alone
	Node   string             // required; this node's name
	Fence  func() store.Check // holds while this process speaks for its node; nil: always

	Limits  Limits        // what an image may claim of itself; zero values as Limits says
	MinFree int64         // bytes that content never takes of the disk; 0: it may fill it
	Linger  time.Duration // how long the record of a deleted blob can be read; 0 means DefaultLinger
	Resync  time.Duration // 0 means reconcile.DefaultResync
	Log     *slog.Logger  // nil discards
}

// Manager keeps the blobs of the cloud and the files of those that are on this node.
type Manager struct {
	Deps
	rows      *view.Table[record]
	locations *view.Table[location]
	refs      *view.Table[reference]
	loop      reconcile.Loop
	onCached  []func(blobID string) // fixed before Run

	mu    sync.Mutex
	held  map[string]bool  // guarded by mu; by blob: being ingested, or stored and not yet let go
	tries map[string]trial // guarded by mu; by blob: the last attempt at its bootable image, if it failed
}

// New returns a manager whose tables are registered with the view.
func New(d Deps) *Manager {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Linger == 0 {
		d.Linger = DefaultLinger
	}
	m := &Manager{
		Deps:      d,
		rows:      view.NewTable[record](d.View, "blob"),
		locations: view.NewTable[location](d.View, "location"),
		refs:      view.NewTable[reference](d.View, "ref"),
		held:      map[string]bool{}, tries: map[string]trial{},
	}
	m.rows.Index("deleted", func(r view.Row[record]) []string {
		if r.Value.state() == Deleted {
			return []string{"yes"}
		}
		return nil
	})
	m.locations.Index("blob", func(r view.Row[location]) []string { return []string{blobOf(r.ID)} })
	m.locations.Index("node", func(r view.Row[location]) []string { return []string{strings.TrimPrefix(r.ID, blobOf(r.ID)+"/")} })
	m.refs.Index("blob", func(r view.Row[reference]) []string { return []string{blobOf(r.ID)} })
	m.loop = reconcile.Loop{
		Name: "blobs", Reconcile: m.reconcile, All: m.ids, Sweep: m.sweep, Resync: d.Resync, Log: d.Log,
	}
	m.rows.OnChange(m.loop.Wake)
	m.locations.OnChange(func(id string) { m.loop.Wake(blobOf(id)) })
	m.refs.OnChange(func(id string) {
		// Only the last one's end calls for anything. It also ends the making of an image that nobody wants any more.
		if blob := blobOf(id); m.refs.Count("blob", blob) == 0 {
			m.loop.Interrupt(blob)
		}
	})
	return m
}

// OnCached has f called with the ID of a blob when its bootable image was made on this node, or failed to be. It must be
// called before Run; f must not block.
func (m *Manager) OnCached(f func(blobID string)) { m.onCached = append(m.onCached, f) }

// Run keeps this node's files as the store wants them until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	for _, d := range []string{contentDir, cacheDir} {
		if err := os.MkdirAll(filepath.Join(m.Dir, d), 0o755); err != nil { //nolint:gosec // the hypervisor's user passes through
			m.Log.ErrorContext(ctx, "the folder for images cannot be made; no image will work", slog.Any("error", err))
		}
	}
	m.loop.Run(ctx)
}

// Busy returns the blobs that are being worked on.
func (m *Manager) Busy() []string { return m.loop.Busy() }

func (m *Manager) ids() []string {
	rows := m.rows.All()
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

// commit commits tx provided that this process still speaks for its node.
func (m *Manager) commit(ctx context.Context, tx view.Txn) error {
	if m.Fence != nil {
		tx.Check(m.Fence())
	}
	_, err := m.View.Commit(ctx, tx)
	return err
}

func (m *Manager) hold(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[id] = true
}

func (m *Manager) isHeld(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[id]
}

// release lets a held blob go: its files stay only if the store wants them.
func (m *Manager) release(id string) {
	m.mu.Lock()
	delete(m.held, id)
	m.mu.Unlock()
	m.loop.Wake(id)
}
