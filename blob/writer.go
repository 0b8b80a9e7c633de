package blob

import (
	"context"
	"hash"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Writer takes the bytes of content, as they come, and makes a file of this node of them. A source that breaks off may go
// on where it was: Got tells where. Whoever got one from Begin ends it with Finish or Abort. One goroutine uses it.
type Writer struct {
	m      *Manager
	c      Content
	stored *Stored
	file   *sparseFile
	hashes hashes
	claim  hash.Hash // of the bytes as they are sent, if their source says what it is; nil if the checksums of the content tell

	got    int64     // bytes of the source
	head   []byte    // the first of them, until they tell how the content is packed
	flow   *flow     // nil until then
	unpack *unpacker // nil if it isn't
	failed error     // what Write returned, and will
	ended  bool
}

// Begin begins to store content, whose Reader is not used. It fails with fault.Invalid if it is too large or its checksum
// cannot be one, with fault.Conflict if there is a blob of its ID, and with fault.Exhausted if the disk has no room.
func (m *Manager) Begin(ctx context.Context, c Content) (*Writer, error) {
	s, err := m.reserve(ctx, c)
	if err != nil {
		return nil, err
	}
	w := &Writer{m: m, c: c, stored: s, hashes: newHashes()}
	if err := w.open(); err != nil {
		w.Abort(ctx)
		return nil, err
	}
	return w, nil
}

// reserve protects the files of content that is to be stored.
func (m *Manager) reserve(ctx context.Context, c Content) (*Stored, error) {
	const op = "blob.Begin"
	if err := c.Sum.check(); err != nil {
		return nil, err
	}
	s := &Stored{ID: c.ID, FetchedAt: time.Now(), Modified: c.Modified, Kind: c.Kind, Base: c.Base}
	if s.ID == "" {
		s.ID = uuid.NewString()
	} else if uuid.Validate(s.ID) != nil {
		return nil, fault.New(op, fault.Invalid, s.ID, "the ID of a blob is a UUID, not %q", s.ID)
	} else if err := m.unused(ctx, s.ID); err != nil {
		return nil, err
	}
	if s.Modified.IsZero() {
		s.Modified = s.FetchedAt
	}
	s.release = m.Hold(s.ID)
	return s, nil
}

// unused fails with fault.Conflict if there is a blob of an ID. Where a file has its name, that it is not in the view proves
// nothing before the view is fresh: the file is a leftover, or else the blob's commit succeeded and its answer was lost.
func (m *Manager) unused(ctx context.Context, id string) error {
	if _, there := m.rows.Get(id); !there && exists(m.Path(id)) {
		if err := m.View.Fresh(ctx); err != nil {
			return err
		}
	}
	if _, there := m.rows.Get(id); there || m.rows.Unreadable(id) {
		return fault.New("blob.Begin", fault.Conflict, id, "there is a blob %s already", id)
	}
	return nil
}

// folder makes the folder in which the content of a blob lies.
func (m *Manager) folder(id string) error {
	path := m.Path(id)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the hypervisor's user passes through
		return diskError(path, err)
	}
	return nil
}

func (w *Writer) open() error {
	path := w.m.Path(w.stored.ID) + partial
	if err := w.m.folder(w.stored.ID); err != nil {
		return err
	}
	if err := w.m.Room(path, w.c.Size); err != nil {
		return err
	}
	if err := w.m.Fits(w.c.Size); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640) //nolint:gosec // the hypervisor's group reads it
	if err != nil {
		return diskError(path, err)
	}
	w.file = &sparseFile{file: f, spare: func(size int64) (int64, error) { return w.m.spare(path, size) }}
	return nil
}

// Got returns how many bytes of the source were taken.
func (w *Writer) Got() int64 { return w.got }

// Write takes the next bytes of the source. It fails with fault.Unavailable if they are more than there should be, with
// fault.Invalid if they cannot be unpacked or are too many then, and with fault.Exhausted if the disk has no room. Once it
// failed, it fails.
func (w *Writer) Write(b []byte) (int, error) {
	if w.failed != nil {
		return 0, w.failed
	}
	n := len(b)
	w.got += int64(n)
	if w.c.Size >= 0 && w.got > w.c.Size {
		w.failed = w.errSize()
		return 0, w.failed
	}
	if w.flow == nil {
		if w.head = append(w.head, b...); len(w.head) < packingBytes {
			return n, nil
		}
		w.decide()
		b, w.head = w.head, nil
	}
	if w.failed = w.take(b); w.failed != nil {
		return 0, w.failed
	}
	return n, nil
}

func (w *Writer) errSize() error {
	return fault.New("blob.Ingest", fault.Unavailable, w.stored.ID, "got %d bytes of %d", w.got, w.c.Size)
}

// decide looks at the head and prepares for what follows.
func (w *Writer) decide() {
	users := []io.Writer{w.file}
	for _, h := range w.hashes.all() {
		users = append(users, h)
	}
	p, packed := packingOf(w.head)
	packed = packed && w.c.Kind == Image
	if w.c.Sum != (Sum{}) && (packed || w.c.Sum.Algorithm == md5Sum) {
		w.claim, _ = newHash(w.c.Sum.Algorithm)
	}
	if w.claim != nil && !packed {
		users = append(users, w.claim)
	}
	w.flow = newFlow(w.m.Limits.bytes(), users...)
	if packed {
		w.unpack = p.start(w.flow)
	}
}

func (w *Writer) take(b []byte) error {
	if w.unpack == nil {
		_, err := w.flow.Write(b)
		return err
	}
	_, err := w.unpack.Write(b)
	if w.claim == nil {
		return err
	}
	w.claim.Write(b)
	if fault.KindOf(err) == fault.Invalid {
		return nil // whether that is the image's fault or that of the way it came is known at the end
	}
	return err
}

// Finish ends the content and sees it safe on disk, under its name. It fails with fault.Unavailable if the bytes are not
// those that there should be, with fault.Invalid if the header guard refuses them, and with fault.Exhausted if the disk
// has no room; then it leaves nothing behind.
func (w *Writer) Finish(ctx context.Context) (*Stored, error) {
	err := w.finish()
	if err == nil {
		path := w.m.Path(w.stored.ID)
		err = step.Do(ctx, "rename blob", w.stored.ID, func() error { return publish(path) })
	}
	if err != nil {
		w.Abort(ctx)
		return nil, err
	}
	w.ended = true
	return w.stored, nil
}

func (w *Writer) finish() error {
	switch {
	case w.failed != nil:
		return w.failed
	case w.c.Size >= 0 && w.got != w.c.Size:
		return w.errSize()
	case w.flow == nil:
		w.decide()
		if err := w.take(w.head); err != nil {
			return err
		}
	}
	if err := w.drain(); err != nil {
		return err
	}
	if err := w.file.whole(); err != nil {
		return err
	}
	f := w.file.file
	var err error
	if w.stored.Facts, err = w.m.facts(f, w.stored.Size, w.c); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return diskError(f.Name(), err)
	}
	w.file = nil
	if err := f.Close(); err != nil {
		return diskError(f.Name(), err)
	}
	return nil
}

// drain waits until everybody has all of the content, and looks whether it is what it should be.
func (w *Writer) drain() error {
	unpacked := w.stop(nil)
	if err := w.flow.end(); err != nil {
		return err
	}
	w.stored.Size, w.stored.Checksums = w.flow.size, w.hashes.sums()
	sent := w.stored.By(w.c.Sum.Algorithm)
	if w.claim != nil {
		sent = sumOf(w.claim)
	}
	if err := w.c.Sum.compare(w.stored.ID, sent); err != nil {
		return err
	}
	return unpacked
}

// stop ends the unpacking, for a reason that is nil if there is nothing left to unpack, and returns how that went.
func (w *Writer) stop(reason error) error {
	u := w.unpack
	if u == nil {
		return nil
	}
	w.unpack = nil
	return u.end(reason)
}

// Abort leaves nothing of the content behind. After Finish, and after itself, it does nothing.
func (w *Writer) Abort(ctx context.Context) {
	if w.ended {
		return
	}
	w.ended, w.failed = true, io.ErrClosedPipe
	_ = w.stop(w.failed) // which is what it says
	if w.flow != nil {
		_ = w.flow.end() // nobody wants the file any more
	}
	if w.file != nil {
		_ = w.file.file.Close() // as above
	}
	if left := w.m.discard(ctx, w.m.Path(w.stored.ID)+partial); left != nil {
		w.m.Log.WarnContext(ctx, "a cut-off download stays until the next sweep", slog.String("blob", w.stored.ID), slog.Any("error", left))
	}
	w.stored.Done()
}
