package etcdstore

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"

	"github.com/shakenfist/shakenfist/fault"
)

// explain turns what etcd answered to op into a fault. Ctx is the caller's, not the bounded one.
func (s *Store) explain(ctx context.Context, op, ref string, err error) error {
	var answer rpctypes.EtcdError
	switch {
	case s.isClosed():
		return fault.New(op, fault.Unavailable, ref, "the state store was closed")
	case ctx.Err() != nil:
		return fault.Because(op, fault.Unavailable, ref, ctx.Err(), "the state store had not answered yet")
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Because(op, fault.Unavailable, ref, err, "the state store did not answer within %v", Timeout)
	case !errors.As(err, &answer):
		return fault.Because(op, fault.Unavailable, ref, err, "the state store cannot be reached")
	case errors.Is(answer, rpctypes.ErrNoSpace):
		return fault.Because(op, fault.Exhausted, ref, err, "%s", s.roomAdvice())
	case errors.Is(answer, rpctypes.ErrLeaseNotFound):
		return fault.Because(op, fault.Conflict, ref, err, "the lease has ended; take a new one")
	case errors.Is(answer, rpctypes.ErrRequestTooLarge), errors.Is(answer, rpctypes.ErrTooManyOps):
		return fault.Because(op, fault.Invalid, ref, err, "this etcd is configured for smaller requests than a cloud makes")
	case errors.Is(answer, rpctypes.ErrCorrupt):
		return fault.Because(op, fault.Internal, ref, err, "the state store's data is corrupt; restore it from a backup")
	case refusesUs(answer):
		// Not fault.Forbidden: that would tell a tenant that they lack a right which the daemon lacks.
		return fault.Because(op, fault.Unavailable, ref, err, "etcd refuses this daemon; check its user, password and role")
	}
	return fault.Because(op, fault.Unavailable, ref, err, "the state store does not serve at the moment")
}

// roomAdvice says what to do about a store that reached its quota.
func (s *Store) roomAdvice() string {
	if s.server != nil {
		return "the state store has reached its quota; raise it or delete what is not needed, then restart the daemon, which reclaims the space"
	}
	return "etcd has reached its quota; compact and defragment it, raise its quota if need be, and disarm its NOSPACE alarm"
}

func refusesUs(err rpctypes.EtcdError) bool {
	return err.Code() == codes.PermissionDenied || err.Code() == codes.Unauthenticated ||
		errors.Is(err, rpctypes.ErrAuthFailed) || errors.Is(err, rpctypes.ErrInvalidAuthToken) ||
		errors.Is(err, rpctypes.ErrUserEmpty)
}
