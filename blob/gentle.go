package blob

import (
	"context"
	"os"
	"time"
)

// gentleBytes is how much is read between two rests.
const gentleBytes = 1 << 20

// gentleReader reads a file slowly. It rests so that no more than rate bytes a second are read, and three times as long as
// reading, and what was done with it, took: a busy machine is slow, and is left alone the more.
type gentleReader struct {
	ctx  context.Context //nolint:containedctx // lives as long as one look at a file
	file *os.File
	rate int64 // bytes a second
	cold bool  // read it from the disk, and push nobody's pages out of memory
	at   int64 // bytes read
	rest time.Duration
	done time.Time // when the last read was; zero before the first
}

func (r *gentleReader) Read(b []byte) (int, error) {
	if !r.done.IsZero() {
		if err := r.pause(max(r.rest, 3*time.Since(r.done))); err != nil {
			return 0, err
		}
	}
	r.done = time.Now()
	n, err := r.file.Read(b[:min(len(b), gentleBytes)])
	r.rest = time.Duration(float64(n) / float64(r.rate) * float64(time.Second))
	if r.cold {
		forgetPages(r.file, r.at, int64(n))
	}
	r.at += int64(n)
	return n, err
}

func (r *gentleReader) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}
