//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// A worker is this test binary once more, inside a pretend host, where it serves calls on its standard input and output:
// one worker has the driver and can be killed as a daemon can, another has the guests' ports.

const workerVariable = "SF_NETLINKNET_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) == "" {
		os.Exit(m.Run())
	}
	server := rpc.NewServer()
	if err := errors.Join(server.Register(&Daemon{}), server.Register(&Guests{}), server.Register(&Tools{})); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server.ServeConn(struct {
		io.Reader
		io.Writer
		io.Closer
	}{os.Stdin, os.Stdout, os.Stdin})
}

// Failure is an error on its way out of a worker.
type Failure struct {
	Kind fault.Kind // "" for none
	Text string
}

func failure(err error) Failure {
	if err == nil {
		return Failure{}
	}
	return Failure{fault.KindOf(err), err.Error()}
}

func (f Failure) err() error {
	if f.Kind == "" {
		return nil
	}
	return fault.New("worker", f.Kind, "", "%s", f.Text)
}

// Daemon serves a driver.
type Daemon struct {
	mu     sync.Mutex
	driver *Driver
}

// Settings are Options that can be sent.
type Settings struct{ StateDir, Owner, MeshNIC, DNSMasq string }

// Open opens the driver.
func (d *Daemon) Open(s Settings, reply *Failure) error {
	driver, err := Open(context.Background(), Options{
		StateDir: s.StateDir, Owner: s.Owner, MeshNIC: s.MeshNIC, DNSMasq: s.DNSMasq,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.driver, *reply = driver, failure(err)
	return nil
}

func (d *Daemon) get() (*Driver, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.driver == nil {
		return nil, errors.New("the driver is not open")
	}
	return d.driver, nil
}

// Call is a call of Ensure or Remove, which can be cut off at a step.
type Call struct {
	Network netdriver.Network
	Remove  bool
	CutAt   int           // counted from 1; 0 for never
	After   bool          // cut off after the step's effect
	KillIn  time.Duration // the worker dies so long after the call began; 0 for never
}

// Outcome is how a call went.
type Outcome struct {
	Failure
	Steps []string
}

// errCut is what a call that was cut off reports.
var errCut = errors.New("cut off")

// Call makes a call.
func (d *Daemon) Call(c Call, reply *Outcome) error {
	driver, err := d.get()
	if err != nil {
		return err
	}
	ctx := step.WithHook(context.Background(), func(_ context.Context, s step.Step) error {
		if !s.After {
			reply.Steps = append(reply.Steps, s.Name+" "+s.Ref)
		}
		if len(reply.Steps) == c.CutAt && s.After == c.After {
			return errCut
		}
		return nil
	})
	if c.KillIn > 0 {
		time.AfterFunc(c.KillIn, func() { _ = unix.Kill(os.Getpid(), unix.SIGKILL) })
	}
	if c.Remove {
		reply.Failure = failure(driver.Remove(ctx, c.Network.ID))
	} else {
		reply.Failure = failure(driver.Ensure(ctx, c.Network))
	}
	return nil
}

// ListReply is what List returns.
type ListReply struct {
	Failure
	IDs []netdriver.ID
}

// List lists.
func (d *Daemon) List(_ int, reply *ListReply) error {
	driver, err := d.get()
	if err != nil {
		return err
	}
	reply.IDs, err = driver.List(context.Background())
	reply.Failure = failure(err)
	return nil
}

// InfoReply is what Info returns.
type InfoReply struct {
	Failure
	Info netdriver.Info
}

// Info informs.
func (d *Daemon) Info(_ int, reply *InfoReply) error {
	driver, err := d.get()
	if err != nil {
		return err
	}
	reply.Info, err = driver.Info(context.Background())
	reply.Failure = failure(err)
	return nil
}

// remote is a driver in a worker.
type remote struct{ client *rpc.Client }

func (r remote) call(method string, args, reply any) error {
	if err := r.client.Call("Daemon."+method, args, reply); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

func (r remote) Info(context.Context) (netdriver.Info, error) {
	var reply InfoReply
	if err := r.call("Info", 0, &reply); err != nil {
		return netdriver.Info{}, err
	}
	return reply.Info, reply.err()
}

func (r remote) Ensure(_ context.Context, n netdriver.Network) error {
	_, err := r.do(Call{Network: n})
	return err
}

func (r remote) Remove(_ context.Context, id netdriver.ID) error {
	_, err := r.do(Call{Network: netdriver.Network{ID: id}, Remove: true})
	return err
}

func (r remote) List(context.Context) ([]netdriver.ID, error) {
	var reply ListReply
	if err := r.call("List", 0, &reply); err != nil {
		return nil, err
	}
	return reply.IDs, reply.err()
}

// do makes a call and returns the steps it took.
func (r remote) do(c Call) ([]string, error) {
	var reply Outcome
	if err := r.call("Call", c, &reply); err != nil {
		return nil, err
	}
	return reply.Steps, reply.err()
}
