package instance

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// NVRAM is the device under which snapshots have the firmware's variables of UEFI guests.
const NVRAM = "nvram"

// maxWaiting is how many snapshots of one instance may wait to be taken.
const maxWaiting = 16

// SnapshotRequest asks for copies of an instance's disks. Its zero value means the first disk that can be copied.
type SnapshotRequest struct {
	All         bool   // every disk that can be copied, and the firmware's variables
	Device      string // this one: "vda", NVRAM; "" for the first disk
	Thin        *bool  // only what the guest wrote itself, on top of the image beneath; nil for the cloud's default
	MaxVersions int    // versions of each that are kept, from now on; 0 leaves it as it is
}

// Taken is a copy that will be made.
type Taken struct {
	Device    string
	SourceURL string // of the artifact: sf://instance/<uuid>/<device>
	Artifact  string // UUID
	Blob      string // UUID that the copy will have
}

// taking is a snapshot that is wanted, at "snapshot/<instance>/<uuid>". It goes when all is copied; one that failed stays for
// as long as a deleted instance does.
type taking struct {
	Node    string    `json:"node"` // of the instance; it alone changes the record
	Thin    bool      `json:"thin,omitempty"`
	Created time.Time `json:"created"`
	Pieces  []piece   `json:"pieces"`
	Hold    hold      `json:"hold,omitzero"`  // that the disks stand still
	Ended   time.Time `json:"ended,omitzero"` // when nothing was left to do
}

// piece is one device of a snapshot.
type piece struct {
	Device   string `json:"device"`
	Artifact string `json:"artifact"`
	Blob     string `json:"blob"`
	Base     string `json:"base,omitempty"` // blob that a thin copy lies on; "" if the copy is whole
	Done     bool   `json:"done,omitempty"`
	Error    string `json:"error,omitempty"` // why there will be no copy
}

func (p piece) settled() bool { return p.Done || p.Error != "" }

// hold says how the disks were made to stand still.
type hold struct {
	Since    time.Time `json:"since"`
	FrozenBy string    `json:"frozen_by,omitempty"` // who had the guest write out what it had in memory
	Off      bool      `json:"off,omitempty"`       // the guest was off; it is not powered on before the snapshot ends
}

// takingRow is a snapshot's record.
type takingRow = view.Row[taking]

func instanceOf(takingID string) string { return takingID[:36] }

// Snapshot records the wish for copies of an instance's disks, all of the same moment, and says what they will be. Nothing is
// copied yet. A device that is not there, or can't be copied, gives nothing. It fails with fault.NotReady unless the instance
// is Created, or if too many snapshots of it wait, and with fault.Invalid naming the field that is wrong.
func (m *Manager) Snapshot(ctx context.Context, id string, r SnapshotRequest) (taken []Taken, err error) {
	const op = "instance.Snapshot"
	err = m.view.Retry(ctx, func() error {
		tx := view.Txn{Name: "want snapshot", Ref: id}
		if taken, err = m.wantSnapshot(ctx, &tx, id, r); err != nil || len(taken) == 0 {
			return err
		}
		if !tx.Fits() {
			return fault.New(op, fault.Invalid, id, "all: instance has too many disks for one snapshot; take them one by one with device")
		}
		_, err := m.view.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fault.Wrap(op, id, err)
	}
	return taken, nil
}

// wantSnapshot adds to tx that a snapshot is wanted.
func (m *Manager) wantSnapshot(ctx context.Context, tx *view.Txn, id string, r SnapshotRequest) ([]Taken, error) {
	const op = "instance.Snapshot"
	row, ok := m.rows.Get(id)
	if !ok {
		return nil, errNotFound(op, id)
	}
	was, _ := m.statuses.Get(id)
	if i := m.join(row, was.Value); i.State != Created {
		return nil, fault.New(op, fault.NotReady, id, "instance %s is not ready (%s)", id, i.State)
	}
	if waiting := len(m.waiting(id)); waiting >= maxWaiting {
		return nil, fault.New(op, fault.NotReady, id, "instance %s has %d snapshots that wait to be taken; wait for one of them", id, waiting)
	}
	t := taking{Node: row.Value.Node, Thin: m.Thin, Created: time.Now()}
	if r.Thin != nil {
		t.Thin = *r.Thin
	}
	var taken []Taken
	var devices []string
	for _, d := range m.chosen(row, r) {
		p := piece{Device: d.Device, Blob: uuid.NewString()}
		if t.Thin && d.Blob != "" {
			if err := m.Blobs.CheckBase(d.Blob); err != nil {
				return nil, err
			}
			p.Base = d.Blob
		}
		of := artifact.SnapshotOf{Instance: id, Device: d.Device, Namespace: row.Value.Spec.Namespace, MaxVersions: r.MaxVersions}
		var err error
		if p.Artifact, err = m.Artifacts.WantSnapshot(ctx, tx, of); err != nil {
			return nil, err
		}
		t.Pieces = append(t.Pieces, p)
		taken = append(taken, Taken{Device: d.Device, SourceURL: "sf://instance/" + id + "/" + d.Device, Artifact: p.Artifact, Blob: p.Blob})
		devices = append(devices, d.Device)
	}
	if len(taken) == 0 {
		return nil, nil
	}
	turn, err := uuid.NewV7() // grows: of two that were asked for at the same moment, the first comes first
	if err != nil {
		return nil, fault.Wrap(op, id, err)
	}
	key := id + "/" + turn.String()
	// An instance that is lost with its node changes its status alone, and then nobody would take this.
	tx.Check(m.rows.At(row, id), m.statuses.At(was, id), store.Absent(m.takings.Key(key)))
	tx.Do(m.takings.Put(key, t), m.events.Op(ctx, about(id), event.Audit, "snapshot request", map[string]any{"devices": devices, "thin": t.Thin}))
	return taken, nil
}

// chosen returns the devices that a request means and that can be copied.
func (m *Manager) chosen(row row, r SnapshotRequest) []Disk {
	s, _ := m.statuses.Get(row.ID)
	var all []Disk
	for _, d := range copyable(s.Value) {
		all = append(all, d.Disk)
	}
	first := min(1, len(all))
	if row.Value.Spec.UEFI {
		all = append(all, Disk{Device: NVRAM})
	}
	switch {
	case r.All:
		return all
	case r.Device == "":
		return all[:first]
	}
	return slices.DeleteFunc(all, func(d Disk) bool { return d.Device != r.Device })
}

// copyable returns the disks that snapshots can have.
func copyable(s status) []diskStatus {
	return slices.DeleteFunc(slices.Clone(s.Disks), func(d diskStatus) bool { return d.NoSnapshot || d.CDROM })
}

// waiting returns the snapshots of an instance that are not taken yet, oldest first.
func (m *Manager) waiting(id string) []takingRow {
	rows := slices.DeleteFunc(m.takings.By("instance", id), func(r takingRow) bool { return !r.Value.Ended.IsZero() })
	slices.SortStableFunc(rows, func(a, b takingRow) int { return a.Value.Created.Compare(b.Value.Created) })
	return rows
}
