// Package segment keeps records in append-only files, so that very many of them cost neither memory nor a database.
//
// Records belong to series, each with an age after which they go. Of every series one file is active: records are appended
// to it in the order in which they come. A file that is full, or old enough, is closed: its records are written anew, sorted
// by object and newest first, with an index of its blocks, so that reading an object's newest records takes a few reads a
// file. What is too old goes by removing whole files, and so does what takes more room than the budget.
//
// What is held in memory is bounded: a few words for each record of an active file, whose size is bounded, and for each
// closed file, of which the budget bounds the number. Files lie in one folder, which belongs to one process at a time:
//
//	<series>-<number>.active    what is appended to
//	<series>-<number>.segment   closed
//	<series>-<number>.partial   being closed; removed at the next start
//	<series>-<number>.broken    closed, but unreadable; the first to go when room is wanted
package segment

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Series is a kind of record that is kept equally long.
type Series struct {
	Name string        // of lower-case letters; begins the names of its files
	Age  time.Duration // how long its records are kept; less than 0 means for ever
}

// Options describe a Log.
type Options struct {
	Dir    string       // of the files; made if it is not there
	Series []Series     // the least worth keeping first
	Budget int64        // bytes that all files may take; 0 means 1 GiB, less than 0 any number
	Log    *slog.Logger // nil discards
}

// DefaultBudget is how many bytes all files may take if nothing is said.
const DefaultBudget = 1 << 30

// fullAt is the size in bytes at which an active file is closed: small enough that sorting it takes a blink, and that there
// are some sixty of them within the budget.
func (o Options) fullAt() int64 {
	const most, least = 4 << 20, 16 << 10
	if o.Budget < 0 {
		return most
	}
	return min(most, max(least, o.Budget/64))
}

// Log is a folder of series. Its methods can be called by several goroutines at once.
type Log struct {
	o Options

	// writing is held by whoever changes files. Readers don't wait for it.
	writing sync.Mutex

	mu     sync.RWMutex
	series []*series // in the order of Options.Series; what they hold is guarded by mu
	broken []file    // guarded by mu; set aside
	closed bool      // guarded by mu
}

// series is the state of one.
type series struct {
	Series
	active *active    // nil if nothing was appended since the last one was closed
	closed []*segment // ascending by number; never changed in place, so that readers can keep it
	next   int        // number of the next active file
}

// file is a name in the folder and how much is in it.
type file struct {
	path  string
	bytes int64
}

// Open opens the files in the folder, or makes it. What an earlier process left half-done is removed, the end of an active
// file that was cut off in a write is dropped, and what can't be read is set aside; the log says so. It fails with
// fault.Exhausted if the disk is full, and with fault.Internal if the folder can't be used.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.Budget == 0 {
		o.Budget = DefaultBudget
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{o: o}
	for _, s := range o.Series {
		l.series = append(l.series, &series{Series: s, next: 1})
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, problem("segment.Open", o.Dir, err, "the folder of events cannot be made")
	}
	names, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, problem("segment.Open", o.Dir, err, "the folder of events cannot be read")
	}
	for _, name := range names {
		if err := l.load(ctx, name.Name()); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// problem is the error of a file operation.
func problem(op, ref string, err error, text string) error {
	kind := fault.Internal
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		kind = fault.Exhausted
	}
	return fault.Because(op, kind, ref, err, "%s", text)
}

// Close closes the log. What was appended and not synced survives the process, but not the machine. Closing twice is
// success; every other call fails from then on.
func (l *Log) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var all []error
	for _, s := range l.series {
		if s.active != nil {
			all = append(all, s.active.f.Close())
			s.active = nil
		}
	}
	return errors.Join(all...)
}

func errClosed(op string) error {
	return fault.New(op, fault.Unavailable, "", "the cloud has ended")
}

// Bytes returns how much room all files take.
func (l *Log) Bytes() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var sum int64
	for _, b := range l.broken {
		sum += b.bytes
	}
	for _, s := range l.series {
		if s.active != nil {
			sum += s.active.size
		}
		for _, c := range s.closed {
			sum += c.bytes
		}
	}
	return sum
}

// syncDir sees the names in a folder safe on disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// remove removes a file that may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (l *Log) path(s *series, number int, suffix string) string {
	return filepath.Join(l.o.Dir, name(s.Name, number, suffix))
}
