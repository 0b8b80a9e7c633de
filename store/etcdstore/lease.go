package etcdstore

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// lease is a lease of etcd, renewed by the client three times per ttl.
type lease struct {
	store *Store
	id    clientv3.LeaseID
	ttl   time.Duration // as etcd granted it
	done  chan struct{}
	stop  func() // ends the renewing, any number of times
}

// Lease implements store.Store.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (store.Lease, error) {
	const op = "store.Lease"
	if ttl < store.MinTTL {
		return nil, fault.New(op, fault.Invalid, "", "a lease of %v was asked for, the shortest is %v", ttl, store.MinTTL)
	}
	rpc, cancel, err := s.begin(ctx, op)
	if err != nil {
		return nil, err
	}
	defer cancel()
	grant, err := s.client.Grant(rpc, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return nil, s.explain(ctx, op, "", err)
	}
	// Renewing must outlast ctx by a moment, so that a lease whose context ends is given back and not just forgotten.
	renew, forget := context.WithCancel(context.WithoutCancel(ctx))
	answers, err := s.client.KeepAlive(renew, grant.ID)
	if err != nil {
		forget()
		return nil, s.explain(ctx, op, "", err)
	}
	released := make(chan struct{})
	l := &lease{
		store: s, id: grant.ID, ttl: time.Duration(grant.TTL) * time.Second,
		done: make(chan struct{}), stop: sync.OnceFunc(func() { close(released) }),
	}
	s.leases.Go(func() {
		defer forget()
		if l.renew(ctx, answers, released) {
			return
		}
		rpc, cancel := context.WithTimeout(renew, Timeout)
		defer cancel()
		if _, err := s.client.Revoke(rpc, l.id); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			s.log.LogAttrs(rpc, slog.LevelWarn, "a lease was not given back, its keys stay until its time is up",
				slog.String("lease", l.ID()), slog.Duration("ttl", l.ttl), slog.Any("error", err))
		}
	})
	return l, nil
}

// renew counts renewals until the lease ends, closes done, and says whether nobody needs to give the lease back.
func (l *lease) renew(ctx context.Context, answers <-chan *clientv3.LeaseKeepAliveResponse, released <-chan struct{}) bool {
	defer close(l.done)
	for {
		select {
		case _, open := <-answers:
			if !open {
				l.store.log.LogAttrs(ctx, slog.LevelWarn, "a lease was lost: it could not be renewed in time",
					slog.String("lease", l.ID()), slog.Duration("ttl", l.ttl))
				return true
			}
			l.store.counts.renewals.Add(1)
		case <-ctx.Done():
			return false
		case <-released:
			return true
		case <-l.store.closing:
			return true
		}
	}
}

// ID implements store.Lease.
func (l *lease) ID() string { return strconv.FormatInt(int64(l.id), 16) }

// Done implements store.Lease.
func (l *lease) Done() <-chan struct{} { return l.done }

// Release implements store.Lease. It stops the renewing even when it fails, so the keys go in any case.
func (l *lease) Release(ctx context.Context) error {
	const op = "store.Release"
	l.stop()
	rpc, cancel, err := l.store.begin(ctx, op)
	if err != nil {
		return err
	}
	defer cancel()
	if _, err := l.store.client.Revoke(rpc, l.id); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return l.store.explain(ctx, op, l.ID(), err)
	}
	<-l.done
	return nil
}
