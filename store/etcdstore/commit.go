package etcdstore

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Commit implements store.Store. It is one transaction, whose other branch reads what tells the failed checks.
func (s *Store) Commit(ctx context.Context, checks []store.Check, ops []store.Op) (store.Revision, error) {
	const op = "store.Commit"
	if err := store.Validate(checks, ops); err != nil {
		return 0, err
	}
	s.counts.commits.Add(1)
	writes, err := s.writes(ops)
	if err != nil {
		return 0, err
	}
	compares, reads := s.conditions(checks)
	rpc, cancel, err := s.begin(ctx, op)
	if err != nil {
		return 0, err
	}
	defer cancel()
	resp, err := s.client.Txn(rpc).If(compares...).Then(writes...).Else(reads...).Commit()
	if err != nil {
		return 0, s.explain(ctx, op, "", err)
	}
	if !resp.Succeeded {
		s.counts.conflicts.Add(1)
		return 0, store.Conflict(failing(checks, resp.Responses))
	}
	return store.Revision(resp.Header.Revision), nil
}

// writes returns ops as etcd's.
func (s *Store) writes(ops []store.Op) ([]clientv3.Op, error) {
	writes := make([]clientv3.Op, len(ops))
	for i, o := range ops {
		key := s.prefix + o.Key
		switch o.Kind {
		case store.OpPut:
			var opts []clientv3.OpOption
			if o.Lease != nil {
				l, ok := o.Lease.(*lease)
				if !ok || l.store != s {
					return nil, fault.New("store.Commit", fault.Invalid, o.Key, "the lease of key %q is not of this store", o.Key)
				}
				opts = append(opts, clientv3.WithLease(l.id))
			}
			writes[i] = clientv3.OpPut(key, string(o.Value), opts...)
		case store.OpDelete:
			writes[i] = clientv3.OpDelete(key)
		case store.OpDeletePrefix:
			writes[i] = clientv3.OpDelete(key, clientv3.WithPrefix())
		}
	}
	return writes, nil
}

// conditions returns checks as compares, and for each the read that shows whether it held.
func (s *Store) conditions(checks []store.Check) ([]clientv3.Cmp, []clientv3.Op) {
	compares, reads := make([]clientv3.Cmp, len(checks)), make([]clientv3.Op, len(checks))
	for i, c := range checks {
		key := s.prefix + c.Key
		reads[i] = clientv3.OpGet(key, clientv3.WithKeysOnly())
		switch c.Kind {
		case store.CheckAt:
			compares[i] = clientv3.Compare(clientv3.ModRevision(key), "=", int64(c.Revision))
		case store.CheckAbsent:
			compares[i] = clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
		case store.CheckEmpty: // a key that exists was created at a revision above 0
			compares[i] = clientv3.Compare(clientv3.CreateRevision(key), "=", 0).WithPrefix()
			reads[i] = clientv3.OpGet(key, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(1))
		}
	}
	return compares, reads
}

// failing returns the checks that did not hold when their reads gave these answers.
func failing(checks []store.Check, answers []*etcdserverpb.ResponseOp) []store.Check {
	var failed []store.Check
	for i, c := range checks {
		kvs := answers[i].GetResponseRange().GetKvs()
		holds := len(kvs) == 0
		if c.Kind == store.CheckAt {
			holds = len(kvs) == 1 && kvs[0].ModRevision == int64(c.Revision)
		}
		if !holds {
			failed = append(failed, c)
		}
	}
	return failed
}

// Compact forgets the history before revision r, so that a watch after an older revision than the one before r ends
// with store.ErrCompacted. It fails with fault.Invalid if there is no revision r yet. An embedded server compacts by
// itself.
func (s *Store) Compact(ctx context.Context, r store.Revision) error {
	const op = "store.Compact"
	rpc, cancel, err := s.begin(ctx, op)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = s.client.Compact(rpc, int64(r))
	switch {
	case err == nil, errors.Is(err, rpctypes.ErrCompacted): // already
		return nil
	case errors.Is(err, rpctypes.ErrFutureRev):
		return fault.Because(op, fault.Invalid, "", err, "there is no revision %d yet", r)
	}
	return s.explain(ctx, op, "", err)
}
