package segment

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"strings"
)

// sortable is a record with its place in a closed file.
type sortable struct {
	hash uint64
	raw
	bytes []byte // all of it
}

func (s sortable) compare(t sortable) int {
	return cmp.Or(cmp.Compare(s.hash, t.hash), bytes.Compare(s.object, t.object), bytes.Compare(s.id, t.id))
}

// errDamaged says that a closed file as a whole can't be read.
type errDamaged struct{ error }

// find returns an object's newest records, n of them or all, that are not older than since. The file's own disorder is told
// by errDamaged; of damage within blocks it tells by damaged, beside what the other blocks have.
func (s *segment) find(object string, n int, since int64) (found []Record, damaged bool, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close() //nolint:errcheck // only read
	return search(f, s.footer, object, n, since)
}

func search(f io.ReaderAt, about footer, object string, n int, since int64) (found []Record, damaged bool, err error) {
	x, err := readIndex(f, about)
	if err != nil {
		return nil, false, errDamaged{err}
	}
	hash := hashOf(object)
	for i := x.first(hash); i < int(about.blocks) && x.hash(i) <= hash; i++ {
		end := about.indexAt
		if i+1 < int(about.blocks) {
			end = x.offset(i + 1)
		}
		b := make([]byte, end-x.offset(i))
		if _, err := f.ReadAt(b, x.offset(i)); err != nil {
			return found, damaged, errDamaged{err}
		}
		more, whole := block(b, object, since)
		if found = append(found, more...); len(found) >= n {
			return found[:n], damaged, nil
		}
		damaged = damaged || !whole
	}
	return found, damaged, nil
}

// block returns an object's records of a block, and whether all of the block could be read.
func block(b []byte, object string, since int64) (found []Record, whole bool) {
	for len(b) > 0 {
		r, n, err := decode(b)
		if err != nil {
			return found, false
		}
		if r.at >= since && string(r.object) == object {
			found = append(found, r.record())
		}
		b = b[n:]
	}
	return found, true
}

// merge joins two lists that are newest first, each record once, and keeps the n first.
func merge(a, b []Record, n int) []Record {
	all := make([]Record, 0, min(n, len(a)+len(b)))
	for len(all) < n && (len(a) > 0 || len(b) > 0) {
		switch {
		case len(b) == 0 || len(a) > 0 && strings.Compare(a[0].ID, b[0].ID) < 0:
			all, a = append(all, a[0]), a[1:]
		case len(a) == 0 || strings.Compare(b[0].ID, a[0].ID) < 0:
			all, b = append(all, b[0]), b[1:]
		default:
			a = a[1:]
		}
	}
	return all
}

// isDamaged tells whether a closed file as a whole can't be read.
func isDamaged(err error) bool {
	_, ok := errors.AsType[errDamaged](err)
	return ok
}
