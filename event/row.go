package event

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// What begins the keys. All of them lie outside the view. Each goes on with kind and ID of the object.
const (
	rowPrefix       = "e/" // events that were not moved yet, by ID
	newestPrefix    = "n/" // the newest sample, by type
	forgottenPrefix = "f/" // that an object is forgotten, by ID; moved to the files too
)

// path names the object in keys and files.
func (o Object) path() string { return o.Kind + "/" + o.ID }

func (o Object) prefix() string { return rowPrefix + o.path() + "/" }

// newest is the key of the object's newest sample of a type; for "" the prefix of all of them.
func (o Object) newest(t Type) string { return newestPrefix + o.path() + "/" + string(t) }

func (o Object) forgotten() string { return forgottenPrefix + o.path() + "/" }

// id returns the ID of an event that happened now, which tells it from all others of its object. Those of newer events sort
// lower: the store lists ascending.
func (r *Recorder) id(at time.Time) string {
	return fmt.Sprintf("%0*d-%s-%0*d", timeDigits, math.MaxInt64-at.UnixNano(), r.node, seqDigits, math.MaxUint32-r.seq.Add(1))
}

const (
	timeDigits = 19
	seqDigits  = 10
)

// row is what the key of a row says.
type row struct {
	object string // kind and ID
	id     string
	node   string
	at     time.Time
}

// parseRow reads a key that begins with prefix; false if it is none of ours.
func parseRow(prefix, key string) (row, bool) {
	key = strings.TrimPrefix(key, prefix)
	slash := strings.LastIndexByte(key, '/')
	if slash < 0 {
		return row{}, false
	}
	r := row{object: key[:slash], id: key[slash+1:]}
	if len(r.id) < timeDigits+1+1+seqDigits || r.id[timeDigits] != '-' {
		return row{}, false
	}
	left, err := strconv.ParseInt(r.id[:timeDigits], 10, 64)
	r.at = time.Unix(0, math.MaxInt64-left)
	r.node = r.id[timeDigits+1 : max(timeDigits+1, len(r.id)-seqDigits-1)]
	return r, err == nil
}

// noticed is the store, for a recorder that wants to know when there are rows.
type noticed struct {
	store.Store
	r *Recorder
}

// Commit commits, and tells the recorder how many rows of it there may be now.
func (s *noticed) Commit(ctx context.Context, checks []store.Check, ops []store.Op) (store.Revision, error) {
	revision, err := s.Store.Commit(ctx, checks, ops)
	if n := rowsOf(ops); n > 0 && !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Invalid) {
		s.r.notice(n) // an error may mean that nobody knows
	}
	return revision, err
}

func rowsOf(ops []store.Op) (n int64) {
	for _, o := range ops {
		if o.Kind == store.OpPut && (strings.HasPrefix(o.Key, rowPrefix) || strings.HasPrefix(o.Key, forgottenPrefix)) {
			n++
		}
	}
	return n
}

// notice says that there are n more rows, or for 0 that samples were written.
func (r *Recorder) notice(n int64) {
	r.rows.Add(n)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
