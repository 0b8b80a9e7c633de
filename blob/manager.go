package blob

import (
	"cmp"
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
)

// What the zero values of Deps mean.
const (
	DefaultLinger    = time.Hour
	DefaultCacheIdle = 24 * time.Hour
	DefaultVerify    = 24 * time.Hour
	DefaultKeepFrom  = 1 << 20
	DefaultReadRate  = 64 << 20
)

// Folders in Deps.Dir.
const (
	contentDir = "blobs"       // blobs/<first two letters>/<uuid>
	cacheDir   = "image_cache" // image_cache/<uuid>.qcow2 or .iso
)

// Deps is what a manager needs.
type Deps struct {
	View   *view.View        // required
	Events *event.Recorder   // required
	Driver hypervisor.Driver // required; makes the images guests boot from
	Dir    string            // required; absolute; of this node alone
	Node   string            // required; this node's name
	Fence  view.Fence        // holds while this process speaks for its node; nil: always

	Limits  Limits        // what an image may claim of itself; zero values as Limits says
	MinFree int64         // bytes of the disk that stay free, Room says; 0: none, less than 0: the smaller of 20 GiB and a tenth
	Linger  time.Duration // how long the record of a deleted blob can be read; 0 means DefaultLinger
	Resync  time.Duration // 0 means reconcile.DefaultResync

	CacheIdle time.Duration // how long a bootable image that nobody uses stays; 0 means DefaultCacheIdle, less: not at all
	Verify    time.Duration // time between two looks at all of a copy; 0 means DefaultVerify, less: never
	KeepFrom  int64         // bytes of content from which on its bootable image is kept as a blob; 0 means DefaultKeepFrom
	ReadRate  int64         // bytes a second that are read to verify copies, at most; 0 means DefaultReadRate
	Log       *slog.Logger  // nil discards
}

// Manager keeps the blobs of the cloud and the files of those that are on this node.
type Manager struct {
	Deps
	rows      *view.Table[record]
	locations *view.Table[location]
	refs      *view.Table[reference]
	used      *view.Table[used]
	loop      reconcile.Loop
	care      reconcile.Loop        // what can wait, for one blob at a time
	onCached  []func(blobID string) // fixed before Run

	mu       sync.Mutex
	holds    map[string]int           // guarded by mu; by blob: how many make its files, or have stored it and not yet let go
	removing map[string]chan struct{} // guarded by mu; by blob: its files are being removed; closed when they are
	tries    map[string]trial         // guarded by mu; by blob: the last attempt at its bootable image, if it failed
	making   map[string]bool          // guarded by mu; by blob: its bootable image is being made
	expiring map[string]bool          // guarded by mu; by blob: its bootable image may be going
	strays   map[string][]string      // guarded by mu; by blob: files that the sweep thinks nobody wants
}

func (d *Deps) setDefaults() {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	d.Linger = cmp.Or(d.Linger, DefaultLinger)
	d.CacheIdle = cmp.Or(d.CacheIdle, DefaultCacheIdle)
	d.Verify = cmp.Or(d.Verify, DefaultVerify)
	d.KeepFrom = cmp.Or(d.KeepFrom, DefaultKeepFrom)
	d.ReadRate = cmp.Or(d.ReadRate, DefaultReadRate)
}

// New returns a manager whose tables are registered with the view.
func New(d Deps) *Manager {
	d.setDefaults()
	m := &Manager{
		Deps:      d,
		rows:      view.NewTable[record](d.View, "blob"),
		locations: view.NewTable[location](d.View, "location"),
		refs:      view.NewTable[reference](d.View, "ref"),
		used:      view.NewTable[used](d.View, "blob-used"),
		holds:     map[string]int{}, removing: map[string]chan struct{}{}, tries: map[string]trial{},
		making: map[string]bool{}, expiring: map[string]bool{}, strays: map[string][]string{},
	}
	m.addIndexes()
	m.loop = reconcile.Loop{
		Name: "blobs", Reconcile: m.reconcile, All: m.ids, Sweep: m.sweep, Resync: d.Resync, Log: d.Log,
	}
	m.care = reconcile.Loop{
		Name: "care of blobs", Reconcile: m.look, All: m.idsHere, Resync: careResync, Workers: 1, Log: d.Log,
	}
	m.rows.OnChange(m.loop.Wake)
	m.locations.OnChange(m.copyChanged)
	m.refs.OnChange(m.refChanged)
	return m
}

func (m *Manager) addIndexes() {
	m.rows.Index("deleted", func(r view.Row[record]) []string {
		if r.Value.state() == Deleted {
			return []string{"yes"}
		}
		return nil
	})
	for _, algorithm := range algorithms() {
		m.rows.Index(algorithm, func(r view.Row[record]) []string {
			if sum := r.Value.checksums().By(algorithm); sum != "" && r.Value.state() != Deleted {
				return []string{sum}
			}
			return nil
		})
	}
	m.locations.Index("blob", func(r view.Row[location]) []string { return []string{blobOf(r.ID)} })
	m.locations.Index("node", func(r view.Row[location]) []string { return []string{strings.TrimPrefix(r.ID, blobOf(r.ID)+"/")} })
	m.locations.Index("good", func(r view.Row[location]) []string {
		if r.Value.Bad != "" {
			return nil
		}
		return []string{blobOf(r.ID)}
	})
	m.refs.Index("blob", func(r view.Row[reference]) []string { return []string{blobOf(r.ID)} })
	m.refs.Index("original", func(r view.Row[reference]) []string {
		if o := ownerOf(r); o.Kind == Transcode {
			return []string{o.ID}
		}
		return nil
	})
}

// copyChanged wakes whoever has to do with the copies of a blob: what it is made of, and what was made of it.
func (m *Manager) copyChanged(row string) {
	id := blobOf(row)
	m.loop.Wake(id)
	m.care.Wake(id)
	for _, r := range m.refs.By("blob", id) {
		if o := ownerOf(r); o.Kind == Transcode {
			m.loop.Wake(o.ID)
		}
	}
}

// refChanged has a blob looked at. That also ends the making of an image that nobody wants any more.
func (m *Manager) refChanged(row string) {
	id := blobOf(row)
	if m.refs.Count("blob", id) == 0 || m.is(m.making, id) && !m.isWanted(id) {
		m.loop.Interrupt(id)
	} else {
		m.loop.Wake(id)
	}
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
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { m.care.Run(ctx) })
	m.loop.Run(ctx)
}

// Busy returns the blobs that are being worked on, but for what can wait.
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
	m.Fence.Guard(&tx)
	_, err := m.View.Commit(ctx, tx)
	return err
}
