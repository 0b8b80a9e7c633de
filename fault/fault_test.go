package fault_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
)

func TestTheKindIsThatOfTheOutermostError(t *testing.T) {
	t.Parallel()
	inner := fault.New("b.Do", fault.Unavailable, "y", "away")
	outer := fault.Because("a.Do", fault.Exhausted, "x", inner, "no room")
	require.Equal(t, fault.Exhausted, fault.KindOf(outer))
	require.Equal(t, fault.Exhausted, fault.KindOf(fault.Wrap("c.Do", "z", outer)))
	require.ErrorIs(t, outer, fault.Exhausted)
	require.ErrorIs(t, outer, fault.Unavailable, "a cause can be asked for too")
	require.NotErrorIs(t, outer, fault.Invalid)
}

func TestForeignErrorsHaveAKindToo(t *testing.T) {
	t.Parallel()
	require.Equal(t, fault.Internal, fault.KindOf(io.EOF))
	require.Equal(t, fault.Unavailable, fault.KindOf(context.DeadlineExceeded))
	require.Equal(t, fault.Unavailable, fault.KindOf(context.Canceled))
	require.Equal(t, fault.NotFound, fault.KindOf(fault.NotFound))
	require.NoError(t, fault.Wrap("a.Do", "x", nil))
}

func TestOnlyWhatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	for kind, permanent := range map[fault.Kind]bool{
		fault.Internal: false, fault.Invalid: true, fault.Unauthorized: true, fault.Forbidden: true, fault.NotFound: true,
		fault.NotReady: false, fault.Conflict: false, fault.Exhausted: true, fault.Unavailable: false,
	} {
		require.Equal(t, permanent, fault.Permanent(fault.New("a.Do", kind, "", "x")), "%s", kind)
	}
}

func TestUsersReadTextsAndLogsEverything(t *testing.T) {
	t.Parallel()
	err := fault.Wrap("a.Do", "x", fault.Because("b.Do", fault.Invalid, "y", io.ErrUnexpectedEOF, "too short"))
	require.Equal(t, "too short: unexpected EOF", fault.Text(err))
	require.Equal(t, "a.Do x: b.Do y: too short: unexpected EOF", err.Error())
}

func TestTextOfJoinedErrorsHasNoOperations(t *testing.T) {
	t.Parallel()
	err := fault.Because("a.Do", fault.Internal, "x", errors.Join(
		fault.New("b.Do", fault.Invalid, "y", "too long"), fault.New("c.Do", fault.Invalid, "z", "too wide")), "no good")
	require.Equal(t, "no good: too long; too wide", fault.Text(err))
}
