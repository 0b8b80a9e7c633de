package artifact

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
)

// What the zero values of Deps mean.
const (
	DefaultMaxVersions = 3
	DefaultPatience    = 20 * time.Second
	DefaultStall       = 30 * time.Second
	DefaultMaxFetch    = 30 * time.Minute
	DefaultLinger      = time.Hour
	DefaultImageURL    = "https://images.shakenfist.com"
	DefaultCirrosURL   = "https://download.cirros-cloud.net"
)

// Bounds of what a node does at once.
const (
	workers = 1024 // a pass costs nothing while it waits for its turn to download, and deletes must not wait with it
)

// Deps is what a manager needs.
type Deps struct {
	View       *view.View         // required
	Events     *event.Recorder    // required
	Blobs      *blob.Manager      // required
	Namespaces *namespace.Manager // required
	Metadata   *metadata.Manager  // required
	Node       string             // required; this node's name
	Fence      view.Fence         // holds while this process speaks for its node; nil: always

	Client      *http.Client  // fetches; its redirect policy and time limit are replaced; nil means one of its own
	Sources     Sources       // where images may come from
	Proxy       *Proxy        // asked in place of sources; nil: none
	PerHost     int           // how many downloads one host gives at a time; 0 means 4
	ImageURL    string        // where shorthands such as debian:12 lie; "" means DefaultImageURL
	CirrosURL   string        // where the shorthand cirros lies; "" means DefaultCirrosURL
	MaxVersions int           // of a new artifact; 0 means DefaultMaxVersions
	Patience    time.Duration // how long a source that gets no further is asked again; 0 means DefaultPatience
	Stall       time.Duration // how long a source may send nothing; 0 means DefaultStall
	MaxFetch    time.Duration // how long a fetch may take in all; 0 means DefaultMaxFetch
	Linger      time.Duration // how long the record of a deleted artifact can be read; 0 means DefaultLinger
	Resync      time.Duration // 0 means reconcile.DefaultResync
	Log         *slog.Logger  // nil discards
}

func (d *Deps) setDefaults() {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	d.MaxVersions = cmp.Or(d.MaxVersions, DefaultMaxVersions)
	d.Patience = cmp.Or(d.Patience, DefaultPatience)
	d.Stall = cmp.Or(d.Stall, DefaultStall)
	d.MaxFetch = cmp.Or(d.MaxFetch, DefaultMaxFetch)
	d.Linger = cmp.Or(d.Linger, DefaultLinger)
	d.PerHost = cmp.Or(d.PerHost, defaultPerHost)
	d.ImageURL = cmp.Or(d.ImageURL, DefaultImageURL)
	d.CirrosURL = cmp.Or(d.CirrosURL, DefaultCirrosURL)
}

// Manager keeps the artifacts of the cloud and fetches those that this node shall fetch.
type Manager struct {
	Deps
	rows     *view.Table[record]
	statuses *view.Table[status]
	versions *view.Table[version]
	claims   *view.Table[claim]
	loop     reconcile.Loop
	turns    *turns                    // of downloads
	onChange []func(artifactID string) // fixed before Run

	mu      sync.Mutex
	fetched map[string]*outcome // guarded by mu; by artifact: fetched, and not yet in the store
	told    map[string]int64    // guarded by mu; by artifact: bytes, as recorded last; nil before that was asked for
}

// New returns a manager whose tables are registered with the view.
func New(d Deps) *Manager {
	d.setDefaults()
	m := &Manager{
		Deps:     d,
		rows:     view.NewTable[record](d.View, "artifact"),
		statuses: view.NewTable[status](d.View, "artifact-status"),
		versions: view.NewTable[version](d.View, "artifact-version"),
		claims:   view.NewTable[claim](d.View, "artifact-url"),
		fetched:  map[string]*outcome{},
	}
	m.addIndexes()
	m.loop = reconcile.Loop{
		Name: "artifacts", Reconcile: m.reconcile, All: m.ids, Sweep: m.sweep,
		Resync: d.Resync, Workers: workers, Log: d.Log,
	}
	m.turns = newTurns(d.PerHost, m.loop.Wake)
	m.rows.OnChange(func(id string) {
		if row, ok := m.rows.Get(id); ok && row.Value.Deleted.IsZero() {
			m.loop.Wake(id)
		} else {
			m.loop.Interrupt(id)
		}
		m.tell(id)
	})
	m.statuses.OnChange(m.tell)
	m.versions.OnChange(func(id string) {
		m.tell(artifactOf(id))
		m.loop.Wake(artifactOf(id)) // there may be more of them than it keeps
	})
	return m
}

// OnChange has f called with the ID of an artifact that changed in any way: Progress may say something new. It must be
// called before Run; f must not block.
func (m *Manager) OnChange(f func(artifactID string)) { m.onChange = append(m.onChange, f) }

func (m *Manager) tell(id string) {
	for _, f := range m.onChange {
		f(id)
	}
}

// Run fetches and removes what this node shall until ctx ends.
func (m *Manager) Run(ctx context.Context) { m.loop.Run(ctx) }

// Busy returns the artifacts that are being worked on.
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

// reconcile takes the next steps for one artifact of this node.
func (m *Manager) reconcile(ctx context.Context, id string) (time.Duration, error) {
	row, ok := m.rows.Get(id)
	switch {
	case !ok:
		m.settle(id)
		return 0, nil
	case row.Value.Fetch.Node != m.Node:
		m.settle(id)
		m.forgetUsage(id)
		return 0, nil
	case !row.Value.Deleted.IsZero():
		m.settle(id)
		m.forgetUsage(id)
		return 0, m.dismantle(ctx, row)
	}
	if err := errors.Join(m.trim(ctx, id), m.noteUsage(ctx, id)); err != nil {
		return 0, err
	}
	if row.Value.Fetch.Generation <= m.status(id).Done {
		// The commit that recorded it may have lost its answer.
		m.settle(id)
		return 0, nil
	}
	return 0, m.fetch(ctx, row)
}
