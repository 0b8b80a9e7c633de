package blob

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/shakenfist/shakenfist/fault"
)

// Content flows in chunks to those who use it, each of whom has a goroutine of its own: the checksums take longer than
// anything else, and together several times as long as the longest.
const (
	chunkBytes = 256 << 10
	chunks     = 16 // at most, in flight in one flow
)

// chunk is a part of content on its way.
type chunk struct {
	bytes []byte
	users atomic.Int32 // who have not finished with it
}

// flow hands what is written to it to every user, in order. One goroutine writes.
type flow struct {
	users []io.Writer
	limit int64 // bytes that content may have
	size  int64 // bytes so far

	current *chunk // being filled; nil if there is none
	made    int
	free    chan *chunk
	inputs  []chan *chunk // by user; none until the first chunk is full
	running sync.WaitGroup
	failed  atomic.Pointer[error] // of the first user that failed; it is given no more
}

func newFlow(limit int64, users ...io.Writer) *flow {
	return &flow{users: users, limit: limit, free: make(chan *chunk, chunks)}
}

// Write takes b for every user. It returns the error of a user that failed with what was written before, and fails with
// fault.Invalid where the content becomes larger than it may.
func (f *flow) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		room, err := f.room()
		if err != nil {
			return written, err
		}
		n := copy(room, b)
		if err := f.filled(n); err != nil {
			return written, err
		}
		written, b = written+n, b[n:]
	}
	return written, nil
}

// ReadFrom takes everything that r has, without copying it first.
func (f *flow) ReadFrom(r io.Reader) (int64, error) {
	start := f.size
	for {
		room, err := f.room()
		if err != nil {
			return f.size - start, err
		}
		n, err := r.Read(room)
		if full := f.filled(n); full != nil {
			return f.size - start, full
		}
		if err == io.EOF { //nolint:errorlint // readers return it bare
			return f.size - start, nil
		}
		if err != nil {
			return f.size - start, err
		}
	}
}

// room returns where the next bytes go, at least one of them.
func (f *flow) room() ([]byte, error) {
	if failed := f.failed.Load(); failed != nil {
		return nil, *failed
	}
	if f.current == nil {
		f.current = f.empty()
	}
	return f.current.bytes[len(f.current.bytes):cap(f.current.bytes)], nil
}

// empty returns a chunk that nobody uses, once there is one.
func (f *flow) empty() *chunk {
	select {
	case c := <-f.free:
		return c
	default:
	}
	if f.made < chunks {
		f.made++
		return &chunk{bytes: make([]byte, 0, chunkBytes)}
	}
	return <-f.free
}

// filled notes that the next n bytes are there.
func (f *flow) filled(n int) error {
	if f.size += int64(n); f.size > f.limit {
		return errTooLarge(f.limit)
	}
	f.current.bytes = f.current.bytes[:len(f.current.bytes)+n]
	if len(f.current.bytes) == cap(f.current.bytes) {
		f.start()
		f.pass()
	}
	return nil
}

func errTooLarge(limit int64) error {
	return fault.New("blob.Ingest", fault.Invalid, "", "the image is larger than %d bytes, unpacked if it comes packed, and that is the "+
		"most that is accepted: use a smaller one, or ask the operator to raise IMAGE_MAX_SIZE", limit)
}

// start has every user work for itself. What fits in one chunk is not worth that.
func (f *flow) start() {
	if f.inputs != nil {
		return
	}
	f.inputs = make([]chan *chunk, len(f.users))
	for i, user := range f.users {
		input := make(chan *chunk, chunks)
		f.inputs[i] = input
		f.running.Go(func() {
			for c := range input {
				f.use(user, c)
			}
		})
	}
}

// pass hands the current chunk on. It never waits: an input takes as many chunks as there are.
func (f *flow) pass() {
	f.current.users.Store(int32(len(f.users))) //nolint:gosec // a handful
	for _, input := range f.inputs {
		input <- f.current
	}
	f.current = nil
}

func (f *flow) use(user io.Writer, c *chunk) {
	if f.failed.Load() == nil {
		if _, err := user.Write(c.bytes); err != nil {
			f.failed.CompareAndSwap(nil, &err)
		}
	}
	if c.users.Add(-1) == 0 {
		c.bytes = c.bytes[:0]
		f.free <- c
	}
}

// end waits until every user has had everything, or has failed, and returns the first failure. Nothing may be written
// after it. Calling it twice is safe.
func (f *flow) end() error {
	if last := f.current; last != nil && len(last.bytes) > 0 {
		if f.inputs != nil {
			f.pass()
		} else {
			for _, user := range f.users {
				f.current = nil
				if _, err := user.Write(last.bytes); err != nil {
					f.failed.CompareAndSwap(nil, &err)
				}
			}
		}
	}
	for _, input := range f.inputs {
		close(input)
	}
	f.running.Wait()
	f.current, f.inputs = nil, nil
	if failed := f.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}
