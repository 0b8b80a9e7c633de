package shakenfist

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/store"
)

// Run starts the cloud and returns when ctx has ended and everything that was started has ended too. Guests keep running.
// It can be called once. It fails with fault.Conflict if it was called before, and otherwise only if the cloud never got
// as far as reading its state.
func (c *Cloud) Run(ctx context.Context) error {
	first := false
	c.once.Do(func() { first = true })
	if !first {
		return fault.New("shakenfist.Run", fault.Conflict, "", "this cloud was run already; make another with New")
	}
	if c.temporary {
		defer os.RemoveAll(c.config.Dir) //nolint:errcheck // a temporary folder
	}
	if err := os.MkdirAll(filepath.Join(c.config.Dir, "instances"), 0o755); err != nil { //nolint:gosec // the hypervisor's user passes through
		return fault.Because("shakenfist.Run", fault.Invalid, "", err, "the cloud's folder cannot be made")
	}
	ctx = step.WithHook(ctx, c.config.Steps)

	// The view outlives the loops, and the node's lease too: the loops' last commits need both.
	beneath, stop := context.WithCancel(context.WithoutCancel(ctx))
	var viewing sync.WaitGroup
	viewing.Go(func() { c.view.Run(beneath) })
	defer viewing.Wait()
	defer stop()

	lease, err := c.join(ctx, beneath)
	if err != nil {
		return err
	}
	alive, leave := context.WithCancel(beneath)
	var node sync.WaitGroup
	node.Go(func() { c.Nodes.Run(alive, lease) })
	defer node.Wait()
	defer leave()

	var loops sync.WaitGroup
	for _, run := range []func(context.Context){
		c.Events.Run, c.Blobs.Run, c.Uploads.Run, c.Artifacts.Run, c.Networks.Run, c.Instances.Run, c.Nodes.Chores, c.report,
	} {
		loops.Go(func() { run(ctx) })
	}
	c.view.Open()
	close(c.ready)
	<-ctx.Done()
	c.Nodes.Retire(beneath) // while the loops finish what they are at, nothing new is placed here
	loops.Wait()
	return nil
}

// Start runs the cloud beside the caller. The function it returns stops the cloud and returns what Run did, when
// everything has ended.
func (c *Cloud) Start(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
}

// join reads the state, makes the system namespace if this cloud is new, and takes this node's place. A store that does
// not answer is asked until ctx ends.
func (c *Cloud) join(ctx, beneath context.Context) (store.Lease, error) {
	for {
		lease, err := c.tryJoin(ctx, beneath)
		if err == nil {
			return lease, nil
		}
		if ctx.Err() != nil {
			return nil, fault.Wrap("shakenfist.Run", c.config.Node, err)
		}
		c.config.Logger.WarnContext(ctx, "joining the cloud failed, trying again", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (c *Cloud) tryJoin(ctx, beneath context.Context) (store.Lease, error) {
	if err := c.view.Fresh(ctx); err != nil {
		return nil, err
	}
	if _, err := c.Namespaces.Get(ctx, namespace.System); errors.Is(err, fault.NotFound) {
		// Another node may be faster.
		if _, err := c.Namespaces.Create(ctx, namespace.System, "", ""); err != nil && !errors.Is(err, fault.Forbidden) {
			return nil, err
		}
	}
	return c.Nodes.Join(beneath)
}
