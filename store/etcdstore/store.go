// Package etcdstore is a state store on etcd v3: on a server inside this process (Embedded) or on a cluster that is
// already there (Dial).
//
// Keys lie under a prefix of their own, so one etcd can serve several purposes. Every request is bounded by Timeout or
// by its context, whichever ends first.
package etcdstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// DefaultPrefix is what the keys of a cloud begin with inside etcd.
const DefaultPrefix = "/shakenfist/"

// Timeout bounds a request whose context allows more. An etcd that takes longer has lost its leader or its disk.
const Timeout = 5 * time.Second

// Store is a store.Store on etcd. Make one with Embedded or Dial, and Close it.
type Store struct {
	client *clientv3.Client
	prefix string // ends with a slash
	log    *slog.Logger
	server *server // nil unless embedded

	closing   chan struct{}
	closeOnce sync.Once
	leases    sync.WaitGroup // the goroutines of leases
	counts    struct{ gets, lists, commits, conflicts, events, renewals atomic.Uint64 }
}

func newStore(client *clientv3.Client, prefix string, log *slog.Logger) *Store {
	return &Store{client: client, prefix: prefix, log: log, closing: make(chan struct{})}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.Entry, error) {
	const op = "store.Get"
	s.counts.gets.Add(1)
	rpc, cancel, err := s.begin(ctx, op)
	if err != nil {
		return store.Entry{}, err
	}
	defer cancel()
	resp, err := s.client.Get(rpc, s.prefix+key)
	if err != nil {
		return store.Entry{}, s.explain(ctx, op, key, err)
	}
	if len(resp.Kvs) == 0 {
		return store.Entry{}, fault.New(op, fault.NotFound, key, "there is no key %q", key)
	}
	kv := resp.Kvs[0]
	return store.Entry{Key: key, Value: kv.Value, Revision: store.Revision(kv.ModRevision)}, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (store.Page, error) {
	const op = "store.List"
	s.counts.lists.Add(1)
	if limit < 0 {
		return store.Page{}, fault.New(op, fault.Invalid, prefix, "a page of %d entries was asked for; 0 means %d", limit, store.MaxPage)
	}
	if limit == 0 || limit > store.MaxPage {
		limit = store.MaxPage
	}
	start := prefix
	if after != "" {
		start = max(start, after+"\x00")
	}
	rpc, cancel, err := s.begin(ctx, op)
	if err != nil {
		return store.Page{}, err
	}
	defer cancel()
	end := clientv3.GetPrefixRangeEnd(s.prefix + prefix)
	resp, err := s.client.Get(rpc, s.prefix+start, clientv3.WithRange(end), clientv3.WithLimit(int64(limit)))
	if err != nil {
		return store.Page{}, s.explain(ctx, op, prefix, err)
	}
	p := store.Page{Revision: store.Revision(resp.Header.Revision), More: resp.More}
	if len(resp.Kvs) > 0 {
		p.Entries = make([]store.Entry, len(resp.Kvs))
	}
	for i, kv := range resp.Kvs {
		p.Entries[i] = store.Entry{
			Key: string(kv.Key[len(s.prefix):]), Value: kv.Value, Revision: store.Revision(kv.ModRevision),
		}
	}
	return p, nil
}

// begin says whether op can go on, and gives it a context that ends in time. The caller cancels it.
func (s *Store) begin(ctx context.Context, op string) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fault.Because(op, fault.Unavailable, "", err, "nobody waits for the state store any more")
	}
	if s.isClosed() {
		return nil, nil, fault.New(op, fault.Unavailable, "", "the state store is closed")
	}
	rpc, cancel := context.WithTimeout(ctx, Timeout)
	return rpc, cancel, nil
}

func (s *Store) isClosed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Stats implements store.Counter.
func (s *Store) Stats() store.Stats {
	return store.Stats{
		Gets: s.counts.gets.Load(), Lists: s.counts.lists.Load(), Commits: s.counts.commits.Load(),
		Conflicts: s.counts.conflicts.Load(), WatchEvents: s.counts.events.Load(),
		LeaseRenewals: s.counts.renewals.Load(),
	}
}

// Close ends all watches and leases and, if embedded, the server. It releases no lease: the keys of those that were
// not released go when their time is up. Every later call fails with fault.Unavailable. Closing twice is success.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		s.leases.Wait()
		if s.client != nil {
			// An embedded client has no connection, and says so by the error of its own cancelled context.
			if err = s.client.Close(); errors.Is(err, context.Canceled) {
				err = nil
			}
		}
		if s.server != nil {
			err = errors.Join(err, s.server.stop())
		}
	})
	if err != nil {
		return fault.Because("store.Close", fault.Internal, "", err, "the state store was not closed cleanly")
	}
	return nil
}
