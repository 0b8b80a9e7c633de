// Package store is the contract of the state store: a key-value store with revisions, the first of the three seams.
//
// A store must pass storetest.TestStore. Keys are slash-separated text, values are opaque bytes of at most a commit's
// size. Every method is safe for concurrent use and honours its context.
package store

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Revision numbers the commits of a store, ascending. The zero Revision is before every commit.
type Revision int64

// Entry is a key, its value, and the revision of the commit that last wrote it. Value is the caller's to keep.
type Entry struct {
	Key      string
	Value    []byte
	Revision Revision
}

// Page is one consistent read.
type Page struct {
	Entries  []Entry  // ascending by key
	Revision Revision // the store's revision at the moment of the read
	More     bool     // there are further keys after the last one
}

// Change is what one commit did to one key.
type Change struct {
	Key     string
	Value   []byte // nil when deleted
	Deleted bool
}

// Batch is everything one commit changed under a watched prefix.
type Batch struct {
	Revision Revision
	Changes  []Change
}

// Store holds the truth of a cloud.
type Store interface {
	// Get reads one key, linearizably. It fails with fault.NotFound if there is none.
	Get(ctx context.Context, key string) (Entry, error)

	// List reads the keys that begin with prefix and sort after the key after ("" for the first), at most limit of
	// them (0 means MaxPage), at one revision, linearizably.
	List(ctx context.Context, prefix, after string, limit int) (Page, error)

	// Commit applies all ops if all checks hold, and otherwise nothing: then it fails with fault.Conflict, and
	// FailedChecks tells which. A put under a lease that has ended is a conflict too, without failed checks. It fails
	// with fault.Invalid, having done nothing, when Validate does, and with fault.Exhausted when the store is full.
	// When it fails with fault.Unavailable the commit may or may not have happened. A commit that changes nothing,
	// because the keys it deletes are not there, makes no revision: it returns that of the last commit.
	Commit(ctx context.Context, checks []Check, ops []Op) (Revision, error)

	// Watch yields every change under prefix after the revision, in order and without gaps, all changes of one commit
	// in one batch. Each change is yielded once, also when the store could not be reached in between. It ends when ctx
	// ends, without an error. An error is yielded last; one that is ErrCompacted means that the history no longer
	// reaches back to after: read everything again.
	Watch(ctx context.Context, prefix string, after Revision) iter.Seq2[Batch, error]

	// Lease returns a lease that is renewed until it is released, ctx ends, or the store could not be reached for
	// longer than ttl, which is MinTTL or more and rounded up to a whole second. The keys put under it are deleted
	// when it ends; when it ends by not being renewed, within twice ttl.
	Lease(ctx context.Context, ttl time.Duration) (Lease, error)
}

// Lease ties keys to the life of a process.
type Lease interface {
	// ID names the lease within its store.
	ID() string
	// Done is closed when the lease has ended, for whatever reason. Its keys are then gone or about to go.
	Done() <-chan struct{}
	// Release ends the lease and deletes its keys at once. Releasing twice is success.
	Release(ctx context.Context) error
}

// Limits of one commit and one page, the same for every store.
const (
	MaxOps    = 100
	MaxChecks = 100
	MaxBytes  = 1 << 20 // keys and values of all ops together
	MaxKey    = 512     // bytes of one key or prefix
	MaxPage   = 10_000  // entries
)

// MinTTL is the shortest life of a lease that is not renewed.
const MinTTL = time.Second

// ErrCompacted ends a watch whose starting revision is no longer held.
var ErrCompacted = errors.New("the history before this revision was compacted")

// CheckKind is what a check demands.
type CheckKind int

// The kinds of check.
const (
	CheckAt     CheckKind = iota + 1 // the key exists and was last written at Revision
	CheckAbsent                      // the key does not exist
	CheckEmpty                       // no key begins with Key
)

// Check is a condition of a commit. Checks write nothing.
type Check struct {
	Kind     CheckKind
	Key      string // or prefix, for CheckEmpty
	Revision Revision
}

// At holds if key was last written at revision r.
func At(key string, r Revision) Check { return Check{Kind: CheckAt, Key: key, Revision: r} }

// Absent holds if there is no such key.
func Absent(key string) Check { return Check{Kind: CheckAbsent, Key: key} }

// Empty holds if no key begins with prefix.
func Empty(prefix string) Check { return Check{Kind: CheckEmpty, Key: prefix} }

// OpKind is what an op does.
type OpKind int

// The kinds of op.
const (
	OpPut          OpKind = iota + 1 // writes Value under Key
	OpDelete                         // deletes Key; no error if there is none
	OpDeletePrefix                   // deletes every key that begins with Key
)

// Op is one write of a commit.
type Op struct {
	Kind  OpKind
	Key   string // or prefix, for OpDeletePrefix
	Value []byte
	Lease Lease // of a put; nil for keys that stay
}

// Put writes value under key.
func Put(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }

// PutLeased writes value under key; the key goes when l ends.
func PutLeased(key string, value []byte, l Lease) Op {
	return Op{Kind: OpPut, Key: key, Value: value, Lease: l}
}

// Delete deletes key.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key} }

// DeletePrefix deletes every key that begins with prefix.
func DeletePrefix(prefix string) Op { return Op{Kind: OpDeletePrefix, Key: prefix} }

// Conflict returns the error of a commit of which these checks did not hold.
func Conflict(failed []Check) error {
	return fault.Because("store.Commit", fault.Conflict, "", &conflict{failed}, "changed meanwhile")
}

type conflict struct{ failed []Check }

func (c *conflict) Error() string {
	keys := make([]string, len(c.failed))
	for i, f := range c.failed {
		keys[i] = f.Key
	}
	return strings.Join(keys, ", ")
}

// FailedChecks returns the checks that did not hold, from the error of a commit; nil for any other error.
func FailedChecks(err error) []Check {
	if c, ok := errors.AsType[*conflict](err); ok {
		return c.failed
	}
	return nil
}
