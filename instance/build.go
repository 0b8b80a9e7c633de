package instance

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// reconcile takes an instance's next steps on this node.
func (m *Manager) reconcile(ctx context.Context, id string) (time.Duration, error) {
	row, ok := m.rows.Get(id)
	switch {
	case !ok:
		return 0, nil // the sweep removes what is left of it here
	case row.Value.Node != m.Nodes.Name():
		return 0, m.bury(ctx, row)
	}
	s, _ := m.statuses.Get(id)
	switch {
	case s.Value.State == Deleted:
		return 0, nil
	case !row.Value.Deleted.IsZero():
		return m.tearDown(ctx, row, s.Value)
	}
	switch s.Value.State {
	case Initial, Creating:
		return m.build(ctx, row, s.Value.State)
	case Created:
		return 0, m.keepPower(ctx, row, s.Value)
	case Error, DeleteWait, Deleted:
	}
	return 0, nil
}

// A part of building. It is not done while it waits for something whose change will wake the instance.
type part struct {
	name string // as users read it: "fetch image"
	do   func(context.Context, row) (done bool, err error)
}

func (m *Manager) parts() []part {
	return []part{
		{name: "fetch image", do: m.fetchImages},
		{name: "prepare image", do: m.prepareImages},
		{name: "connect network", do: func(ctx context.Context, r row) (bool, error) { return m.Networks.Ready(ctx, r.ID) }},
		{name: "make disks", do: always(m.makeDisks)},
		{name: "make firmware variables", do: always(m.makeVariables)},
		{name: "make config drive", do: always(m.makeConfigDrive)},
		{name: "define domain", do: always(m.define)},
		{name: "start domain", do: always(m.start)},
		{name: "record success", do: always(m.built)},
	}
}

func always(f func(context.Context, row) error) func(context.Context, row) (bool, error) {
	return func(ctx context.Context, r row) (bool, error) {
		err := f(ctx, r)
		return err == nil, err
	}
}

// build does the parts in order, each of them idempotent, until one has to wait.
func (m *Manager) build(ctx context.Context, row row, state State) (time.Duration, error) {
	if state == Initial {
		if err := m.begin(ctx, row); err != nil {
			return 0, err
		}
	}
	left := time.Until(row.Value.Created.Add(m.Deadline))
	for _, p := range m.parts() {
		done, err := p.do(ctx, row)
		switch {
		case err != nil:
			return m.failed(ctx, row, p.name, err)
		case !done && left <= 0:
			return m.giveUp(ctx, row, p.name, fault.New("instance.build", fault.Unavailable, row.ID,
				"not done after %s; delete the instance and create it again", m.Deadline))
		case !done:
			m.forgive(row.ID, p.name)
			return left, nil
		}
	}
	m.forgive(row.ID, "")
	return 0, nil
}

func (m *Manager) begin(ctx context.Context, row row) error {
	tx := view.Txn{Name: "begin instance", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	if err := m.move(ctx, &tx, row.ID, Creating, "building began", nil); err != nil {
		return err
	}
	_, err := m.view.Commit(ctx, tx)
	return err
}

// failed decides whether a part that failed is tried again, and within which time. Faults that may pass get Patience,
// counted from the first failure of that part.
func (m *Manager) failed(ctx context.Context, row row, step string, err error) (time.Duration, error) {
	if ctx.Err() != nil || conflicting(err) {
		return 0, err
	}
	if errors.Is(err, fault.Unavailable) {
		m.Nodes.Look() // others should not be sent here while it lasts
	}
	left := m.patience(row.ID, step)
	if f, ok := errors.AsType[final](err); ok {
		err, left = f.error, 0
	}
	if fault.Permanent(err) || left <= 0 {
		return m.giveUp(ctx, row, step, err)
	}
	return left, fault.Wrap("instance: "+step, row.ID, err)
}

// patience notes that a step failed, and returns how much longer it may.
func (m *Manager) patience(id, step string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, seen := m.failing[id]
	if !seen || f.step != step {
		f = failure{step: step, since: time.Now()}
		m.failing[id] = f
	}
	return m.Patience - time.Since(f.since)
}

// final is a failure of work that somebody else did, who was patient already.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

func finally(err error) error {
	if err == nil {
		return nil
	}
	return final{err}
}

// conflicting tells a lost race for a record, after which everything is read again, from other failures.
func conflicting(err error) bool { return store.FailedChecks(err) != nil }

// forgive notes that the instance got as far as step.
func (m *Manager) forgive(id, step string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing[id].step != step || step == "" {
		delete(m.failing, id)
	}
}

// giveUp takes down what was built, gives back what the instance held, and says why. What can't be taken down within
// Patience must not keep the instance from its end: the sweep and its delete come back to it.
func (m *Manager) giveUp(ctx context.Context, row row, step string, cause error) (time.Duration, error) {
	why := step + ": " + strings.TrimPrefix(fault.Text(cause), step+" ") // whoever did it may have said so too
	if err := errors.Join(m.Driver.Remove(ctx, row.ID), m.removeDisks(ctx, row.ID)); err != nil {
		if left := m.patience(row.ID, step); left > 0 {
			return left, fault.Wrap("instance: take down after "+step, row.ID, err)
		}
		why += "; what was built could not be taken down: " + fault.Text(err)
	}
	m.Log.WarnContext(ctx, "instance failed", slog.String("instance", row.ID), slog.String("step", step), slog.Any("error", cause))
	err := m.view.Retry(ctx, func() error {
		tx := view.Txn{Name: "instance failed", Ref: row.ID}
		tx.Check(m.rows.At(row, row.ID))
		err := m.move(ctx, &tx, row.ID, Error, "failed to "+step, func(s *status) { s.Error, s.Freed = why, true })
		if err != nil {
			return err
		}
		m.giveBack(ctx, &tx, row)
		_, err = m.view.Commit(ctx, tx)
		return err
	})
	if err == nil {
		m.forgive(row.ID, "")
	}
	return 0, err
}

// fetchImages waits until the images are here, and refers to their blobs.
func (m *Manager) fetchImages(ctx context.Context, row row) (bool, error) {
	s, _ := m.statuses.Get(row.ID)
	if len(s.Value.Disks) > 0 {
		return true, nil // referred to already, also by an attempt that was cut off
	}
	blobs := make([]string, len(row.Value.Images))
	for i, img := range row.Value.Images {
		if blobs[i] = img.Blob; img.Artifact == "" {
			continue
		}
		id, done, err := m.Artifacts.Progress(artifact.Wanted{ArtifactID: img.Artifact, Generation: img.Generation})
		if err != nil || !done {
			return false, finally(err)
		}
		blobs[i] = id
	}
	disks, err := m.layOut(ctx, row, blobs)
	if err != nil {
		return false, err
	}
	tx := view.Txn{Name: "refer to images", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	for _, id := range blobs {
		if id == "" {
			continue
		}
		if err := m.Blobs.AddRef(&tx, id, diskOwner(row.ID, &row.Value)); err != nil {
			return false, err
		}
	}
	m.note(ctx, &tx, row.ID, "disks laid out", func(s *status) { s.Disks = disks })
	_, err = m.view.Commit(ctx, tx)
	return err == nil, err
}

// prepareImages waits until the images are in the form that this node boots.
func (m *Manager) prepareImages(_ context.Context, row row) (bool, error) {
	s, _ := m.statuses.Get(row.ID)
	for _, d := range s.Value.Disks {
		if d.Blob == "" {
			continue
		}
		if _, _, ok, err := m.Blobs.Cached(d.Blob); err != nil || !ok {
			return false, finally(err)
		}
	}
	return true, nil
}

// makeDisks makes the folder and the disk files.
func (m *Manager) makeDisks(ctx context.Context, row row) error {
	dir := m.dir(row.ID)
	err := step.Do(ctx, "make instance folder", row.ID, func() error { return os.MkdirAll(dir, 0o755) }) //nolint:gosec // the hypervisor's user passes through
	if err != nil {
		return diskFault("make instance folder", dir, err)
	}
	s, _ := m.statuses.Get(row.ID)
	for _, d := range s.Value.Disks {
		if d.CDROM || d.NoSnapshot {
			continue // attached as it is, or made by makeConfigDrive
		}
		disk := hypervisor.Disk{Path: d.Path, SizeBytes: int64(d.SizeGiB) << 30}
		if d.Blob != "" {
			img, _, ok, err := m.Blobs.Cached(d.Blob)
			if err != nil {
				return err
			}
			if !ok {
				return fault.New("instance.makeDisks", fault.NotReady, row.ID, "the image of disk %s is being made", d.Device)
			}
			disk.Base = img.Path
		}
		if err := m.Driver.MakeDisk(ctx, disk); err != nil {
			return err
		}
	}
	return nil
}

// define makes the domain known to the hypervisor.
func (m *Manager) define(ctx context.Context, row row) error {
	d, err := m.domain(ctx, row)
	if err != nil {
		return err
	}
	return m.Driver.Define(ctx, d)
}

func (m *Manager) start(ctx context.Context, row row) error {
	return m.bring(row.ID, hypervisor.PowerOn, func() error { return m.Driver.Start(ctx, row.ID) })
}

// built records that the guest runs.
func (m *Manager) built(ctx context.Context, row row) error {
	tx := view.Txn{Name: "instance created", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	err := m.move(ctx, &tx, row.ID, Created, "created", func(s *status) {
		s.Power, s.Turn = hypervisor.PowerOn, row.Value.Turn
	})
	if err != nil {
		return err
	}
	m.Networks.Up(&tx, row.ID)
	_, err = m.view.Commit(ctx, tx)
	return err
}

// removeDisks removes an instance's files, but for what its guest wrote to the console: that may say more than we can.
func (m *Manager) removeDisks(ctx context.Context, id string) error {
	entries, err := os.ReadDir(m.dir(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return diskFault("read instance folder", m.dir(id), err)
	}
	for _, e := range slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == "console.log" }) {
		path := m.dir(id) + "/" + e.Name()
		if err := step.Do(ctx, "remove instance file", path, func() error { return os.RemoveAll(path) }); err != nil {
			return diskFault("remove instance file", path, err)
		}
	}
	return nil
}
