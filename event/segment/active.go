package segment

import (
	"cmp"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"
)

// active is the file of a series that is appended to.
type active struct {
	path    string
	number  int
	f       *os.File
	size    int64       // bytes of whole records; what lies behind them in the file doesn't count
	synced  int64       // bytes of them that are safe on disk
	named   bool        // the file's name is safe on disk
	said    atomic.Bool // that a part of it is damaged
	closing bool        // its segment may be there already, so nothing more may be appended
	entries []entry     // one for each record, in the file's order
	span
}

// entry is where a record lies in an active file.
type entry struct {
	hash           uint64 // of the object
	at             int64  // Unix nanoseconds
	offset, length uint32
}

// span is the time from the oldest to the newest record of a file, in Unix nanoseconds; both 0 if there is none.
type span struct{ oldest, newest int64 }

func (s *span) add(at int64) {
	if s.oldest == 0 || at < s.oldest {
		s.oldest = at
	}
	s.newest = max(s.newest, at)
}

// openActive opens an active file that another process has left, and returns how many bytes between its records and behind
// them are no records.
func openActive(path string, number int) (a *active, lost, tail int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, 0, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, 0, 0, errors.Join(err, f.Close())
	}
	a = &active{path: path, number: number, f: f}
	lost, tail = a.scan(data)
	return a, lost, tail, nil
}

// scan finds the records in what an active file has. What lies between two of them was damaged later; what lies behind the
// last is most likely a write that a crash cut off.
func (a *active) scan(data []byte) (lost, tail int64) {
	for at := 0; at < len(data); {
		r, n, err := decode(data[at:])
		if err != nil {
			at++
			continue
		}
		lost += int64(at) - a.size
		a.size = int64(at)
		a.note(r, n)
		at += n
	}
	return lost, int64(len(data)) - a.size
}

// note takes up the record of n bytes that lies at the end.
func (a *active) note(r raw, n int) {
	a.entries = append(a.entries, entry{hashOf(r.object), r.at, uint32(a.size), uint32(n)}) //nolint:gosec // files are small
	a.add(r.at)
	a.size += int64(n)
}

// settle drops what lies behind the last whole record and sees the rest safe on disk.
func (a *active) settle() error {
	if err := a.f.Truncate(a.size); err != nil {
		return err
	}
	if err := a.f.Sync(); err != nil {
		return err
	}
	a.synced = a.size
	return nil
}

// doubt drops the records that are not known to be safe on disk: after a sync that failed nobody knows what is there, and
// the next one would say nothing about it.
func (a *active) doubt() {
	_ = a.f.Truncate(a.synced)
	a.size = a.synced
	a.entries = slices.DeleteFunc(a.entries, func(e entry) bool { return int64(e.offset) >= a.synced })
}

// write puts bytes behind the last record. If that fails, as on a full disk, the file is as before.
func (a *active) write(b []byte) error {
	if _, err := a.f.WriteAt(b, a.size); err != nil {
		_ = a.f.Truncate(a.size) // what is left there doesn't count anyway
		return err
	}
	return nil
}

// took takes up records that were written at the end.
func (a *active) took(b []byte) {
	for len(b) > 0 {
		r, n, err := decode(b)
		if err != nil {
			return // they were encoded just now
		}
		a.note(r, n)
		b = b[n:]
	}
}

// find returns an object's newest records, n of them or all, that are not older than since, and whether one is damaged.
func (a *active) find(object string, n int, since int64) (all []Record, damaged bool, err error) {
	hash := hashOf(object)
	var found []entry
	for _, e := range a.entries {
		if e.hash == hash && e.at >= since {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(x, y entry) int { return cmp.Compare(y.at, x.at) })
	seen := map[string]bool{}
	for i, e := range found {
		// Only the ID orders records of the same moment, so all of those are read.
		if len(all) >= n && e.at != found[i-1].at {
			break
		}
		b := make([]byte, e.length)
		if _, err := a.f.ReadAt(b, int64(e.offset)); err != nil {
			return nil, false, err
		}
		r, _, err := decode(b)
		if err != nil {
			damaged = true
			continue
		}
		if string(r.object) == object && !seen[string(r.id)] {
			seen[string(r.id)] = true
			all = append(all, r.record())
		}
	}
	slices.SortFunc(all, newestFirst)
	return all[:min(n, len(all))], damaged, nil
}
