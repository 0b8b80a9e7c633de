package instance

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
)

// copyAll copies what a snapshot lacks, all of one moment, and records each copy or why there is none. An error means that
// this could not be recorded, or that ctx ended.
func (m *Manager) copyAll(ctx context.Context, row row, takingID string) error {
	taking, _ := m.takings.Get(takingID)
	t := taking.Value
	if !slices.ContainsFunc(t.Pieces, func(p piece) bool { return !p.settled() }) {
		return nil
	}
	for _, p := range t.Pieces {
		if !p.settled() {
			defer m.Blobs.Hold(p.Blob)()
		}
	}
	held, err := m.holdStill(ctx, row, taking)
	for n, p := range t.Pieces {
		if p.settled() {
			continue
		}
		failed := err
		if failed == nil {
			failed = m.copyPiece(ctx, row, takingID, n, held)
		}
		if failed == nil {
			continue
		}
		if ctx.Err() != nil || conflicting(failed) || errors.As(failed, new(unrecorded)) {
			return failed
		}
		m.warn(ctx, row.ID, p.Device, failed)
		if err := m.failPiece(ctx, takingID, n, fault.Text(failed), m.Nodes.Fence()); err != nil {
			return err
		}
	}
	return nil
}

// unrecorded is a failure of the store: what was copied could not be recorded yet.
type unrecorded struct{ error }

func (u unrecorded) Unwrap() error { return u.error }

// holdStill has all the disks of a snapshot stand still at the same moment. Those of a snapshot that another process began
// still do; if they were let go meanwhile, what it copied is of another moment and is thrown away.
func (m *Manager) holdStill(ctx context.Context, row row, taking takingRow) (hold, error) {
	s, _ := m.statuses.Get(row.ID)
	t := taking.Value
	wanted := func(device string) bool {
		return slices.ContainsFunc(t.Pieces, func(p piece) bool { return p.Device == device && !p.settled() })
	}
	goesOn := !t.Hold.Since.IsZero() && !t.Hold.Off
	for _, d := range copyable(s.Value) {
		goesOn = goesOn && (!wanted(d.Device) || isHeld(d))
	}
	if goesOn {
		return t.Hold, nil
	}
	if err := m.insist(ctx, func() error { return m.release(ctx, row.ID) }); err != nil {
		return hold{}, err
	}
	for _, p := range t.Pieces {
		if p.settled() {
			continue
		}
		if err := m.dropCopy(ctx, p.Blob); err != nil {
			return hold{}, err
		}
	}
	disks, err := m.copyableDisks(s.Value, wanted)
	if err != nil {
		return hold{}, err
	}
	h := hold{Off: !m.runs(row.ID)}
	if len(disks) > 0 {
		if err := m.insist(ctx, func() (err error) {
			h.FrozenBy, err = m.Driver.Hold(ctx, row.ID, disks)
			return err
		}); err != nil {
			return h, err
		}
	}
	h.Since = time.Now()
	t.Hold = h
	tx := view.Txn{Name: "disks stand still", Ref: row.ID}
	tx.Check(m.takings.At(taking, taking.ID), m.Nodes.Fence())
	tx.Do(m.takings.Put(taking.ID, t))
	if _, err := m.view.Commit(ctx, tx); err != nil {
		return h, unrecorded{err}
	}
	return h, nil
}

// runs reports whether a guest was last seen running, or stopped half-way.
func (m *Manager) runs(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.observed[id].power
	return p != "" && p != hypervisor.PowerOff
}

// copyableDisks returns the disks that snapshots can have, of those that wanted picks, as the hypervisor knows them.
func (m *Manager) copyableDisks(s status, wanted func(device string) bool) ([]hypervisor.DomainDisk, error) {
	var disks []hypervisor.DomainDisk
	for _, d := range copyable(s) {
		if !wanted(d.Device) {
			continue
		}
		dd, err := m.domainDisk(d)
		if err != nil {
			return nil, err
		}
		disks = append(disks, dd)
	}
	return disks, nil
}

// copyPiece copies one device, makes the copy a blob and records it.
func (m *Manager) copyPiece(ctx context.Context, row row, takingID string, n int, held hold) error {
	taking, _ := m.takings.Get(takingID)
	p, began := taking.Value.Pieces[n], time.Now()
	bounded, cancel := context.WithTimeoutCause(ctx, m.Transfer,
		fault.New("instance.copyPiece", fault.Unavailable, row.ID, "copying %s took longer than %s", p.Device, m.Transfer))
	defer cancel()
	stored, err := m.copyContent(bounded, row, p)
	if err != nil {
		if ctx.Err() == nil && bounded.Err() != nil {
			err = context.Cause(bounded)
		}
		_ = m.dropCopy(ctx, p.Blob) // or the sweep will
		return err
	}
	defer stored.Done()
	err = m.settle(ctx, takingID, n, m.Nodes.Fence(), func(tx *view.Txn, p *piece) error {
		tx.Name = "record snapshot"
		index, err := m.Artifacts.AddVersion(ctx, tx, p.Artifact, stored)
		if err != nil {
			return final{err}
		}
		p.Done = true
		tx.Do(m.events.Op(ctx, about(row.ID), event.Status, "snapshot of "+p.Device+": "+held.describe(), map[string]any{
			"artifact": p.Artifact, "version": index, "blob": stored.ID, "bytes": stored.Size, "depends_on": stored.Base,
			"seconds": time.Since(began).Seconds(), "moment": held.Since,
		}))
		return nil
	})
	if _, decided := errors.AsType[final](err); err != nil && !decided {
		return unrecorded{err} // the copy stays for the next attempt
	}
	_ = m.dropCopy(ctx, p.Blob) // or the sweep will
	return err
}

// describe says how trustworthy the copies are.
func (h hold) describe() string {
	switch {
	case h.FrozenBy != "":
		return "frozen by " + h.FrozenBy
	case h.Off:
		return "the guest was off"
	}
	return "crash-consistent: no agent in the guest"
}

// copyContent copies one device to where blobs are made of, and stores it.
func (m *Manager) copyContent(ctx context.Context, row row, p piece) (*blob.Stored, error) {
	path := m.Blobs.CopyPath(p.Blob)
	content := blob.Content{ID: p.Blob, Size: -1, Kind: blob.Image, Base: p.Base}
	work := func() error { return m.copyDisk(ctx, row, p, path) }
	if p.Device == NVRAM {
		content.Kind = blob.Other
		work = func() error { return copyVariables(ctx, m.nvram(row.ID), path) }
	}
	if err := m.Blobs.Room(path, 0); err != nil {
		return nil, err
	}
	var stored *blob.Stored
	err := m.insist(ctx, func() (err error) {
		if err = work(); err == nil { // which leaves a copy that is there as it is
			stored, err = m.Blobs.IngestFile(ctx, path, content)
		}
		return err
	})
	return stored, err
}

// copyDisk has the hypervisor copy a disk that stands still.
func (m *Manager) copyDisk(ctx context.Context, row row, p piece, path string) error {
	s, _ := m.statuses.Get(row.ID)
	disks, err := m.copyableDisks(s.Value, func(device string) bool { return device == p.Device })
	if err != nil {
		return err
	}
	if len(disks) == 0 {
		return fault.New("instance.copyDisk", fault.NotFound, row.ID, "the instance has no disk %s", p.Device)
	}
	c := hypervisor.DiskCopy{
		Src: disks[0].Path, Backing: disks[0].Backing, Dst: path, Compress: m.Compress,
		Room: func() error { return m.Blobs.Room(path, 0) },
	}
	if p.Base != "" {
		c.Base = p.Base + ".qcow2"
	}
	return m.Driver.CopyDisk(ctx, c)
}

// dropCopy removes what was copied and is a blob of its own now, or of no use.
func (m *Manager) dropCopy(ctx context.Context, blobID string) error {
	path := m.Blobs.CopyPath(blobID)
	if !exists(path) {
		return nil
	}
	err := step.Do(context.WithoutCancel(ctx), "remove snapshot copy", blobID, func() error { return os.Remove(path) })
	return diskFault("remove snapshot copy", path, err)
}

// The pauses between attempts at what fails for a reason that passes.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// insist tries f again while it fails for a reason that may pass, for Patience.
func (m *Manager) insist(ctx context.Context, f func() error) error {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := f()
		if err == nil || ctx.Err() != nil || fault.Permanent(err) || time.Since(began)+pause > m.Patience {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
