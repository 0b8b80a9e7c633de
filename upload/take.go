package upload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// keep is how long checked content is kept for a caller who was told to come again.
const keep = 10 * time.Minute

// job is the checking of an upload, in the loop, for whoever takes it. A caller may come and go meanwhile.
type job struct {
	content blob.Content
	done    chan struct{} // closed when stored or err is set

	// Set before done is closed.
	stored *blob.Stored
	err    error
	ended  time.Time

	taken bool // guarded by Manager.mu; a caller waits for it, or has it
}

// Take has the whole upload checked, hashed and stored as content of a kind; c.Kind, c.Modified and c.Sum count. The caller
// commits what was stored together with what end adds, by which the upload is gone, and calls release in any case: if
// the upload is still there then, it can be taken again. A large upload takes long: after Deps.Wait it fails with
// fault.NotReady while the checking goes on, and taking it again finds it done. It fails with fault.NotFound, with
// fault.Conflict while another request uses the upload, and as blob.Manager.IngestFile does.
func (m *Manager) Take(ctx context.Context, id string, c blob.Content) (s *blob.Stored, end func(*view.Txn), release func(), err error) {
	const op = "upload.Take"
	row, err := m.here(op, id)
	if err != nil {
		return nil, nil, nil, err
	}
	j, err := m.begin(row.ID, c)
	if err != nil {
		return nil, nil, nil, fault.Wrap(op, row.ID, err)
	}
	bounded, cancel := context.WithTimeout(ctx, m.Wait)
	defer cancel()
	select {
	case <-j.done:
	case <-bounded.Done():
		m.mu.Lock()
		j.taken = false
		m.mu.Unlock()
		m.loop.Wake(row.ID) // should it be done just now, it is not kept for ever
		if ctx.Err() != nil {
			return nil, nil, nil, context.Cause(ctx)
		}
		return nil, nil, nil, fault.New(op, fault.NotReady, row.ID, "upload %s is large and still being checked; ask again in a while", row.ID)
	}
	release = sync.OnceFunc(func() { m.drop(row.ID, j) })
	if j.err != nil {
		release()
		return nil, nil, nil, fault.Wrap(op, row.ID, j.err)
	}
	end = func(tx *view.Txn) {
		m.end(ctx, tx, row, event.Audit, "made an artifact", map[string]any{"bytes": j.stored.Size, "sha512": j.stored.SHA512})
	}
	return j.stored, end, release, nil
}

// begin joins the job for an upload, or begins one. It fails with fault.Conflict if somebody else uses the upload, or it is
// being checked as something else.
func (m *Manager) begin(id string, c blob.Content) (*job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[id]
	switch {
	case m.busy[id], j != nil && j.taken:
		return nil, errBusy(id)
	case j != nil && (j.content.Kind != c.Kind || j.content.Sum != c.Sum):
		return nil, fault.New("upload.begin", fault.Conflict, id,
			"upload %s is being checked as another kind of artifact; ask for that one, or again in %v", id, keep)
	case j == nil:
		j = &job{content: c, done: make(chan struct{})}
		m.jobs[id] = j
		m.loop.Wake(id)
	}
	j.taken = true
	return j, nil
}

// drop forgets a job. What was stored stays if a commit made it a blob; the upload's own file goes with its record.
func (m *Manager) drop(id string, j *job) {
	m.mu.Lock()
	if m.jobs[id] == j {
		delete(m.jobs, id)
	}
	m.mu.Unlock()
	m.letGo(id, j)
}

func (m *Manager) letGo(id string, j *job) {
	if j.stored != nil {
		j.stored.Done()
	}
	m.loop.Wake(id)
}

// forgo drops a job that nobody has taken, and reports whether it did. Whoever takes it a moment later begins another: what is
// let go is no content that anybody could still refer to.
func (m *Manager) forgo(id string, j *job) bool {
	m.mu.Lock()
	if j.taken || m.jobs[id] != j {
		m.mu.Unlock()
		return false
	}
	delete(m.jobs, id)
	m.mu.Unlock()
	m.letGo(id, j)
	return true
}

// abandon ends the job for an upload that is no more: whoever waits hears of it, and what nobody waits for goes.
func (m *Manager) abandon(id string) {
	m.mu.Lock()
	j := m.jobs[id]
	m.mu.Unlock()
	if j == nil {
		return
	}
	select {
	case <-j.done:
	default:
		j.err = errGone("upload.check", id)
		close(j.done)
	}
	m.forgo(id, j)
}

// work does the job for an upload, if there is one, or sees how long its result is kept. It returns whether there is a job,
// and when to look again.
func (m *Manager) work(ctx context.Context, id string) (bool, time.Duration) {
	m.mu.Lock()
	j := m.jobs[id]
	m.mu.Unlock()
	if j == nil {
		return false, 0
	}
	select {
	case <-j.done:
	default:
		m.check(ctx, id, j)
	}
	left := keep - time.Since(j.ended)
	if left <= 0 && m.forgo(id, j) {
		return false, 0
	}
	return true, max(left, time.Second)
}

func (m *Manager) check(ctx context.Context, id string, j *job) {
	defer close(j.done)
	info, err := os.Stat(m.path(id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.err = fault.New("upload.check", fault.NotFound, id, "upload not found: its file on node %s is lost; begin another", m.Node)
	case err != nil:
		j.err = diskError(id, err)
	case j.content.Kind == blob.Image && m.Blobs.Fits(info.Size()) != nil:
		j.err = m.Blobs.Fits(info.Size())
	default:
		c := j.content
		c.Reader, c.Size = nil, info.Size()
		j.stored, j.err = m.Blobs.IngestFile(ctx, m.path(id), c)
	}
	j.ended = time.Now()
}
