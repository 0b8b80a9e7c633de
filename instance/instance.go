// Package instance keeps the tenants' virtual machines: what they shall be, where they run, and the loop that builds them,
// watches them and tears them down on this node.
package instance

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/lookup"
	"github.com/shakenfist/shakenfist/internal/moves"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/namespace"
)

// Instance is a virtual machine.
type Instance struct {
	ID       string // UUID, lower case
	Spec            // as asked for, with defaults filled in
	Node     string // where it was placed
	State    State
	Power    string   // "initial" until it first started, then on, off, paused or crashed
	Error    string   // which step failed, why, and what to do; "" unless State is Error or deleting does not get on
	Machine  string   // "pc" or "q35"
	Images   []string // for each of Spec.Disks, the UUID of the blob beneath; "" while it is not known, and for a blank disk
	NVRAM    string   // UUID of the blob that the firmware's variables began as; "" for the firmware's own
	Resolved []Disk   // empty until the images were resolved
	Created  time.Time
	Deleted  time.Time // when its end was asked for; zero if it is wanted
}

// Disk is a disk as the guest has it.
type Disk struct {
	Device     string // "vda"
	Bus        string // "virtio"
	SizeGiB    int    // 0 if the image's size was taken, or for a config drive
	Blob       string // UUID of the blob beneath; "" if it is blank
	NoSnapshot bool   // a CD-ROM or config drive
	CDROM      bool
}

// record is an instance's intent in the store.
type record struct {
	Spec    Spec      `json:"spec"`
	Machine string    `json:"machine"`
	Node    string    `json:"node"`
	Created time.Time `json:"created"`
	Deleted time.Time `json:"deleted,omitzero"` // when its end was asked for; zero if it is wanted
	Images  []image   `json:"images"`           // for each of Spec.Disks
	NVRAM   string    `json:"nvram,omitempty"`  // blob that the firmware's variables begin as
	Power   bool      `json:"power"`            // the guest shall run
	Turn    int64     `json:"turn"`             // counts the changes of Power
}

// status is what the instance's node observed.
type status struct {
	Node  string           `json:"node"` // where it was placed
	State State            `json:"state"`
	Error string           `json:"error,omitempty"`
	Since time.Time        `json:"since"`
	Power hypervisor.Power `json:"power,omitempty"` // "" until the first start
	Turn  int64            `json:"turn"`            // the last turn of the power that was carried out, or failed
	Fault *powerFault      `json:"fault,omitempty"` // of that turn
	Disks []diskStatus     `json:"disks,omitempty"` // config drive included
	Freed bool             `json:"freed,omitempty"` // what it held was given back
}

type diskStatus struct {
	Disk
	Base string `json:"base,omitempty"` // path of the cached image beneath
	Path string `json:"path"`
}

// powerFault is why a change of power failed.
type powerFault struct {
	Kind fault.Kind `json:"kind"`
	Text string     `json:"text"`
}

// Get returns an instance in whatever state. It fails with fault.NotFound.
func (m *Manager) Get(_ context.Context, id string) (Instance, error) {
	i, ok := m.get(id)
	if !ok {
		return Instance{}, errNotFound("instance.Get", id)
	}
	return i, nil
}

// Guard is the metadata.Guard of instances.
func (m *Manager) Guard(tx *view.Txn, id string) error {
	row, ok := m.rows.Get(id)
	if !ok {
		return errNotFound("instance.Guard", id)
	}
	tx.Check(m.rows.At(row, id))
	return nil
}

func errNotFound(op, id string) error { return fault.New(op, fault.NotFound, id, "instance not found") }

func (m *Manager) get(id string) (Instance, bool) {
	row, ok := m.rows.Get(id)
	if !ok {
		return Instance{}, false
	}
	s, _ := m.statuses.Get(id)
	return m.join(row, s.Value), true
}

// join makes one instance of what is wanted and what is.
func (m *Manager) join(row row, s status) Instance {
	r := row.Value
	i := Instance{
		ID: row.ID, Spec: r.Spec, Node: r.Node, Machine: r.Machine, Created: r.Created, Deleted: r.Deleted,
		State: s.State, Error: s.Error, Power: string(s.Power), Resolved: make([]Disk, len(s.Disks)),
		Images: imagesOf(r, s), NVRAM: r.NVRAM,
	}
	if i.State == "" {
		i.State = Initial
	}
	if i.Power == "" {
		i.Power = "initial"
	}
	if !r.Deleted.IsZero() && i.State != Deleted {
		i.State = DeleteWait
	}
	for n, d := range s.Disks {
		i.Resolved[n] = d.Disk
	}
	i.Metadata = m.Metadata.Of("instance", row.ID)
	return i
}

// Find returns the instance that ref, a UUID or a name, means to the caller. It fails with fault.NotFound and, if a name is
// ambiguous, with fault.Invalid.
func (m *Manager) Find(_ context.Context, caller, ref string) (Instance, error) {
	return lookup.Finder[Instance]{
		Kind:      "instance",
		ByID:      m.get,
		ByName:    m.named,
		Namespace: func(i Instance) string { return i.Namespace },
		Tiers: []func(string, Instance) bool{
			func(owner string, i Instance) bool {
				return caller == namespace.System || owner == caller && !m.Namespaces.Predates(owner, i.Deleted)
			},
		},
	}.Find(caller, ref)
}

func (m *Manager) named(name string) []Instance {
	var hits []Instance
	for _, row := range m.rows.By("name", name) {
		if i, ok := m.get(row.ID); ok && i.State != Deleted {
			hits = append(hits, i)
		}
	}
	return hits
}

// Filter picks instances.
type Filter struct {
	Namespace string // "" for every namespace
	All       bool   // deleted ones too, but for those of an earlier namespace of that name
}

// List returns the instances that match, ascending by UUID.
func (m *Manager) List(_ context.Context, f Filter) []Instance {
	var rows []row
	if f.Namespace == "" {
		rows = m.rows.All()
	} else {
		rows = m.rows.By("namespace", f.Namespace)
	}
	instances := make([]Instance, 0, len(rows))
	for _, row := range rows {
		s, _ := m.statuses.Get(row.ID)
		if s.Value.State == Deleted && (!f.All || f.Namespace != "" && m.Namespaces.Predates(f.Namespace, row.Value.Deleted)) {
			continue
		}
		instances = append(instances, m.join(row, s.Value))
	}
	return instances
}

// Count returns the number of instances by state.
func (m *Manager) Count() map[State]int {
	n := make(map[State]int)
	for _, s := range []State{Initial, Creating, Created, Error, Deleted} {
		n[s] = m.statuses.Count("state", string(s))
	}
	return n
}

// Wait waits until the instance is in one of the states and returns it as it is then. One that came to state Error while
// waiting for another ends the wait with its error.
func (m *Manager) Wait(ctx context.Context, id string, states ...State) (Instance, error) {
	const op = "instance.Wait"
	return moves.Await(ctx, m.view.Await, states, func() (Instance, State, error) {
		i, ok := m.get(id)
		switch {
		case !ok:
			return i, "", errNotFound(op, id)
		case i.State == Error:
			return i, Error, fault.New(op, fault.Internal, id, "%s", i.Error)
		}
		return i, i.State, nil
	})
}

// CreateAndWait is Create, and then Wait until the instance is Created.
func (m *Manager) CreateAndWait(ctx context.Context, s Spec) (Instance, error) {
	i, err := m.Create(ctx, s)
	if err != nil {
		return i, err
	}
	return m.Wait(ctx, i.ID, Created)
}

func about(id string) event.Object { return event.Object{Kind: "instance", ID: id} }

type row = view.Row[record]
