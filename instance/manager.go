package instance

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/scheduler"
)

// Deps is what a manager needs.
type Deps struct {
	View       *view.View
	Events     *event.Recorder
	Namespaces *namespace.Manager
	Metadata   *metadata.Manager
	Nodes      *node.Manager
	Networks   *network.Manager
	Artifacts  *artifact.Manager
	Blobs      *blob.Manager
	Driver     hypervisor.Driver
	Mesh       func(ctx context.Context) (mtu int, err error) // MTU of tenant networks
	Dir        string                                         // holds instances/<uuid>/
	Zone       string
	DNSServers []netip.Addr
	DefaultBus string // of disks that name none
	Limits     scheduler.Limits
	Patience   time.Duration // how long a step may fail for reasons that pass
	Deadline   time.Duration // how long building may take altogether
	Transfer   time.Duration // how long copying one disk may take
	Compress   bool          // what snapshots copy
	Thin       bool          // snapshots that don't say are thin
	Linger     time.Duration // how long a deleted instance, or a snapshot that failed, can be read
	Resync     time.Duration
	Log        *slog.Logger
}

// Manager keeps the instances of the cloud and runs those placed on this node.
type Manager struct {
	Deps
	view     *view.View
	events   *event.Recorder
	rows     *view.Table[record]
	statuses *view.Table[status]
	capacity *view.Table[capacity]
	takings  *view.Table[taking]
	loop     reconcile.Loop
	taker    reconcile.Loop // takes snapshots; by instance, so that those of one come one after the other
	copies   chan struct{}  // one for each snapshot that is being copied
	counter  counter

	mu        sync.Mutex
	observed  map[string]sighting // guarded by mu; domains on this node, by ID
	sightings uint64              // guarded by mu; counts them
	looked    bool                // guarded by mu; observed was filled once
	failing   map[string]failure  // guarded by mu; by ID
	seized    map[string]bool     // guarded by mu; instances whose disks somebody works on
}

// failure is since when, and in which step, work on an instance fails.
type failure struct {
	step  string
	since time.Time
}

// New returns a manager whose tables are registered with the view.
func New(d Deps) *Manager {
	m := &Manager{
		Deps: d, view: d.View, events: d.Events,
		rows:     view.NewTable[record](d.View, "instance"),
		statuses: view.NewTable[status](d.View, "instance-status"),
		capacity: view.NewTable[capacity](d.View, "capacity"),
		takings:  view.NewTable[taking](d.View, "snapshot"),
		copies:   make(chan struct{}, maxCopies),
		observed: map[string]sighting{}, failing: map[string]failure{}, seized: map[string]bool{},
	}
	m.rows.Index("name", func(r row) []string { return []string{r.Value.Spec.Name} })
	m.rows.Index("namespace", func(r row) []string { return []string{r.Value.Spec.Namespace} })
	m.rows.Index("node", func(r row) []string { return []string{r.Value.Node} })
	m.rows.Index("artifact", func(r row) []string {
		var ids []string
		for _, i := range r.Value.Images {
			if i.Artifact != "" {
				ids = append(ids, i.Artifact)
			}
		}
		return ids
	})
	m.statuses.Index("state", func(r view.Row[status]) []string { return []string{string(r.Value.State)} })
	m.statuses.Index("building", func(r view.Row[status]) []string {
		if r.Value.State == Initial || r.Value.State == Creating {
			return []string{r.Value.Node}
		}
		return nil
	})
	m.statuses.Index("blob", blobsOf)
	m.loop = reconcile.Loop{
		Name: "instances", Reconcile: m.reconcile, All: m.here, Sweep: m.sweep, Resync: d.Resync, Log: d.Log,
	}
	m.rows.OnChange(m.changed)
	m.prepareTaker()
	d.Networks.OnUp(m.loop.Wake)
	d.Artifacts.OnChange(func(artifact string) {
		for _, r := range m.rows.By("artifact", artifact) {
			m.loop.Wake(r.ID)
		}
	})
	d.Blobs.OnCached(func(blob string) {
		for _, r := range m.statuses.By("blob", blob) {
			m.loop.Wake(r.ID)
		}
	})
	return m
}

func blobsOf(r view.Row[status]) []string {
	ids := map[string]bool{}
	for _, d := range r.Value.Disks {
		if d.Blob != "" {
			ids[d.Blob] = true
		}
	}
	all := make([]string, 0, len(ids))
	for id := range maps.Keys(ids) {
		all = append(all, id)
	}
	return all
}

// changed wakes the loop. The wish to delete cuts off whatever is being done for the instance.
func (m *Manager) changed(id string) {
	if r, ok := m.rows.Get(id); ok && !r.Value.Deleted.IsZero() {
		m.loop.Interrupt(id)
		m.taker.Interrupt(id)
		return
	}
	m.loop.Wake(id)
}

// Run builds, watches, copies and tears down this node's instances until ctx ends. Guests keep running.
func (m *Manager) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { m.watch(ctx) })
	watching.Go(func() { m.taker.Run(ctx) })
	m.loop.Run(ctx)
	watching.Wait()
}

// Busy returns the instances that are being worked on.
func (m *Manager) Busy() []string {
	busy := append(m.loop.Busy(), m.taker.Busy()...)
	slices.Sort(busy)
	return slices.Compact(busy)
}

// here lists the instances placed on this node that are not gone, and those of nodes that are.
func (m *Manager) here() []string {
	var ids []string
	for _, r := range m.rows.By("node", m.Nodes.Name()) {
		if s, _ := m.statuses.Get(r.ID); s.Value.State != Deleted {
			ids = append(ids, r.ID)
		}
	}
	return append(ids, m.unburied()...)
}

func (m *Manager) dir(id string) string { return filepath.Join(m.Dir, "instances", id) }

func (m *Manager) nvram(id string) string { return filepath.Join(m.dir(id), "nvram") }

func (m *Manager) consoleLog(id string) string { return filepath.Join(m.dir(id), "console.log") }
