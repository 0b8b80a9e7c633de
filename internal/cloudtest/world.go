// Package cloudtest holds the scenarios that every deployment of the cloud must pass, and the test that kills its process
// at every step. What runs here runs against the REST API alone, by the Go client: in this process on simulations, and over
// HTTP against a real daemon.
package cloudtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/event"
)

// Point is a moment at which a process is killed: before or after the effect of the Nth step of that name, counted from the
// process's start. The zero Point is never.
type Point struct {
	Step  string
	Nth   int
	After bool
}

// String is the point as SF_FAILPOINT wants it, without the action.
func (p Point) String() string {
	side := "before"
	if p.After {
		side = "after"
	}
	return fmt.Sprintf("%s#%d:%s", p.Step, p.Nth, side)
}

// World is everything that outlives a process of the cloud: its state, its host, and where images come from.
type World interface {
	// Boot starts a process that dies at the point, and returns when its API answers or it has died.
	Boot(ctx context.Context, t testing.TB, kill Point) *Process
	// Image is the URL of an image that the cloud can boot.
	Image() string
	// Leftovers lists what is still there of instances, networks and images. It is called when none should be.
	Leftovers(ctx context.Context, t testing.TB) []string
	// Close ends everything.
	Close(t testing.TB)
}

// Process is one process of the cloud.
type Process struct {
	Client *client.Client
	Dead   <-chan struct{} // closed when the kill point was reached and the process is gone
	Stop   func()          // ends the process in order; of a dead one it releases what is left of it
	Steps  func() []Point  // the steps it has reached, in order, both sides

	// What only processes on simulations have.
	As     func(namespace, key string) *client.Client // logs in as that
	Events *event.Recorder
}

// dead reports whether the process is.
func (p *Process) dead() bool {
	select {
	case <-p.Dead:
		return true
	default:
		return false
	}
}
