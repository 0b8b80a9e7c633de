package etcdstore

import (
	"context"
	"errors"
	"log/slog"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/shakenfist/shakenfist/fault"
)

// Reclaim gives the space of deleted keys and of history back to the disk, and lets a store that had reached its quota
// be written again. Other requests wait meanwhile, some seconds per GiB. It fails with fault.Invalid for a store that
// is not embedded: a cluster is its operator's to maintain.
func (s *Store) Reclaim(ctx context.Context) error {
	const op = "etcdstore.Reclaim"
	if s.server == nil {
		return fault.New(op, fault.Invalid, "", "only an embedded state store can be reclaimed; use etcdctl defrag for a cluster")
	}
	p, err := s.List(ctx, "", "", 1)
	if err != nil {
		return fault.Wrap(op, "", err)
	}
	if _, err := s.client.Compact(ctx, int64(p.Revision), clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return s.explain(ctx, op, "", err)
	}
	// Not by the client: in one process with its server, etcd 3.7's maintenance service lacks the part that tells
	// health checks of a defragmentation, and calls it all the same.
	if err := s.server.etcd.Server.Backend().Defrag(); err != nil {
		return fault.Because(op, fault.Internal, "", err, "the state store's file could not be written anew; is there room for a second one?")
	}
	full, err := s.noSpaceAlarms(ctx)
	if err != nil {
		return s.explain(ctx, op, "", err)
	}
	for _, a := range full {
		if _, err := s.client.AlarmDisarm(ctx, a); err != nil {
			return s.explain(ctx, op, "", err)
		}
	}
	return nil
}

// noSpaceAlarms returns what the server remembers of having run out of space. Another kind of alarm, of corrupt data,
// is not ours to lift.
func (s *Store) noSpaceAlarms(ctx context.Context) ([]*clientv3.AlarmMember, error) {
	answer, err := s.client.AlarmList(ctx)
	if err != nil {
		return nil, err
	}
	var full []*clientv3.AlarmMember
	for _, a := range answer.Alarms {
		if a.Alarm == etcdserverpb.AlarmType_NOSPACE {
			full = append(full, &clientv3.AlarmMember{MemberID: a.MemberID, Alarm: a.Alarm})
		}
	}
	return full, nil
}

// liftAlarm reclaims space if the server remembers that it ran out.
func (s *Store) liftAlarm(ctx context.Context) error {
	full, err := s.noSpaceAlarms(ctx)
	if err != nil {
		return s.explain(ctx, "etcdstore.Embedded", "", err)
	}
	if len(full) == 0 {
		return nil
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "the state store had reached its quota, reclaiming space")
	return s.Reclaim(ctx)
}
