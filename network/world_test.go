package network

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// world is one process of a cloud, as far as networks go.
type world struct {
	*Manager
	store *memstore.Store
	wires *simnet.Driver
	stop  func() // returns when everything has ended

	mu sync.Mutex
	up []string // guarded by mu; instances that were told of
}

// begin starts a process on a host. Change may change what its manager is made of.
func begin(t *testing.T, s *memstore.Store, name string, wires *simnet.Driver, change ...func(*Deps)) *world {
	t.Helper()
	w := &world{store: s, wires: wires}
	v := view.New(s, slog.New(slog.DiscardHandler))
	events := event.NewRecorder(s, name)
	notes := metadata.New(v, events)
	nodes := node.New(node.Deps{
		View: v, Events: events, Name: name, Resync: 30 * time.Second,
		Inventory: func(ctx context.Context) node.Inventory {
			info, err := wires.Info(ctx)
			if err != nil || !info.MeshIP.IsValid() {
				return node.Inventory{}
			}
			return node.Inventory{MTU: info.MTU, MeshIP: info.MeshIP.String()}
		},
	})
	d := Deps{
		View: v, Events: events, Namespaces: namespace.New(v, events, nil, 4), Metadata: notes, Nodes: nodes, Driver: wires,
		Gateways: true, Zone: "shakenfist", Halo: 5 * time.Minute, Patience: 20 * time.Second, Linger: time.Hour,
		Resync: 30 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&d)
	}
	w.Manager = New(d)
	w.OnUp(func(instance string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.up = append(w.up, instance)
	})
	ctx, cancel := context.WithCancel(context.Background())
	beneath, end := context.WithCancel(context.Background())
	var running, viewing sync.WaitGroup
	viewing.Go(func() { v.Run(beneath) })
	require.NoError(t, v.Fresh(t.Context()))
	if _, err := w.Namespaces.Get(t.Context(), "team"); err != nil {
		for _, ns := range []string{namespace.System, "team", "rival"} {
			_, err := w.Namespaces.Create(t.Context(), ns, "", "")
			require.NoError(t, err)
		}
	}
	_, err := nodes.Join(beneath)
	require.NoError(t, err)
	v.Open()
	running.Go(func() { w.Run(ctx) })
	w.stop = func() { cancel(); running.Wait(); end(); viewing.Wait() }
	t.Cleanup(w.stop)
	return w
}

func one(t *testing.T, change ...func(*Deps)) *world {
	t.Helper()
	return begin(t, memstore.New(), "n1", simnet.New(), change...)
}

func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func lan() Spec { return Spec{Name: "lan", Namespace: "team", Netblock: "10.0.0.0/24", DHCP: true} }

func (w *world) made(t *testing.T, s Spec) Network {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := w.CreateAndWait(ctx, s)
	require.NoError(t, err)
	return n
}

func (w *world) wait(t *testing.T, id string, states ...State) Network {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	n, err := w.Wait(ctx, id, states...)
	require.NoError(t, err)
	return n
}

// attach does what creating an instance does.
func (w *world) attach(t *testing.T, requests ...Request) (instance string, err error) {
	t.Helper()
	err = w.view.Retry(t.Context(), func() error {
		instance, err = w.attachOnce(t, requests...)
		return err
	})
	return instance, err
}

// attachOnce is one attempt at it.
func (w *world) attachOnce(t *testing.T, requests ...Request) (instance string, err error) {
	t.Helper()
	instance = uuid.NewString()
	tx := view.Txn{Name: "attach", Ref: instance}
	wanted, err := w.Resolve(t.Context(), "team", requests)
	if err != nil {
		return "", err
	}
	if _, err := w.Attach(&tx, Owner{Instance: instance, Name: "vm", Namespace: "team", Node: w.Nodes.Name()}, wanted); err != nil {
		return "", err
	}
	_, err = w.view.Commit(t.Context(), tx)
	return instance, err
}

func (w *world) attached(t *testing.T, requests ...Request) string {
	t.Helper()
	instance, err := w.attach(t, requests...)
	require.NoError(t, err)
	return instance
}

func (w *world) detach(t *testing.T, instance string) {
	t.Helper()
	tx := view.Txn{Name: "detach", Ref: instance}
	w.Detach(&tx, instance)
	_, err := w.view.Commit(t.Context(), tx)
	require.NoError(t, err)
}

func (w *world) address(t *testing.T, instance string) netip.Addr {
	t.Helper()
	all := w.InterfacesOf(t.Context(), instance)
	require.Len(t, all, 1)
	return all[0].Address
}

// told returns, and forgets, the instances that were told of.
func (w *world) told() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	up := w.up
	w.up = nil
	return up
}

// keys returns every key of the store under a prefix but the head.
func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	page, err := s.List(t.Context(), prefix, "", 0)
	require.NoError(t, err)
	all := []string{}
	for _, e := range page.Entries {
		if e.Key != "o/head" {
			all = append(all, e.Key)
		}
	}
	return all
}

func (w *world) messages(t *testing.T, id string) string {
	t.Helper()
	events, err := w.events.List(t.Context(), about(id), "", -1)
	require.NoError(t, err)
	var all []string
	for _, e := range events {
		all = append(all, e.Message)
	}
	return strings.Join(all, ", ")
}

// sameDice makes a manager draw what others with the same seed draw.
func (w *world) sameDice(seed uint64) {
	w.randomMu.Lock()
	defer w.randomMu.Unlock()
	w.random = rand.New(rand.NewPCG(seed, seed))
}
