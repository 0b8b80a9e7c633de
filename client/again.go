package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// The reasons to send a request again: what it needs is not ready, the token is not good any more, the server is busy.

// busyTries is how often a request is sent again to a server that is too busy.
const busyTries = 4

// whenReady repeats a request that is not ready yet until the strategy's patience or ctx ends.
func (s *session) whenReady(ctx context.Context, r request) (*http.Response, error) {
	for {
		answer, err := s.authorized(ctx, r)
		if !errors.Is(err, fault.NotReady) || time.Until(r.deadline) < s.o.Poll {
			return answer, err
		}
		if cause := sleep(ctx, s.o.Poll); cause != nil {
			return nil, fault.Because(r.method, fault.NotReady, r.path, cause, "%s", fault.Text(err))
		}
	}
}

// authorized sends a request with a token. If that is refused, it logs in anew and tries once more.
func (s *session) authorized(ctx context.Context, r request) (*http.Response, error) {
	var err error
	if r.token, err = s.bearer(ctx, ""); err != nil {
		return nil, err
	}
	answer, err := s.succeed(ctx, r)
	if !errors.Is(err, fault.Unauthorized) {
		return answer, err
	}
	if r.token, err = s.bearer(ctx, r.token); err != nil {
		return nil, err
	}
	return s.succeed(ctx, r)
}

// succeed sends a request and turns every status but 200 into an error. A server that is too busy for a safe request is
// asked again when it says so.
func (s *session) succeed(ctx context.Context, r request) (*http.Response, error) {
	for try := 0; ; try++ {
		answer, err := s.roundTrip(ctx, r)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode == http.StatusOK {
			return answer, nil
		}
		pause, busy := busyFor(answer)
		err = refusal(r, answer)
		if !busy || !r.safe || try == busyTries || time.Until(r.deadline) < pause {
			return nil, err
		}
		if cause := sleep(ctx, pause); cause != nil {
			return nil, fault.Because(r.method, fault.Unavailable, r.path, cause, "%s", fault.Text(err))
		}
	}
}

// busyFor reports whether an answer means that the server is too busy, and for how long it wants to be left alone.
func busyFor(answer *http.Response) (time.Duration, bool) {
	if answer.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second, err == nil && seconds >= 0
}

// sleep waits for d. If ctx ends first it returns why.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
