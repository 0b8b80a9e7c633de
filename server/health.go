package server

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// status is the body of the health routes when all is well.
type status struct {
	Status string `json:"status"`
}

// showHealth says that the process lives. Whatever watches it restarts it when it does not.
func (s *server) showHealth(*call) (any, error) { return status{"alive"}, nil }

// How long the cloud may take to answer before it counts as not ready.
const (
	started = 100 * time.Millisecond // that Run got so far; it did or did not
	fresh   = 2 * time.Second        // that the state store answered
)

// showReady says whether the cloud serves, and if not what is missing. Load balancers ask it.
func (s *server) showReady(c *call) (any, error) {
	if err := s.ready(c.Context()); err != nil {
		return nil, fault.New("server.ready", fault.Unavailable, "", "not ready: %s", fault.Text(err))
	}
	return status{"ready"}, nil
}

func (s *server) ready(ctx context.Context) error {
	running, cancel := context.WithTimeout(ctx, started)
	defer cancel()
	if err := s.cloud.Ready(running); err != nil {
		return err
	}
	answering, cancel := context.WithTimeout(ctx, fresh)
	defer cancel()
	if err := s.cloud.Fresh(answering); err != nil {
		return err
	}
	if s.alsoReady == nil {
		return nil
	}
	return s.alsoReady()
}
