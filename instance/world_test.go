package instance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store"
)

// world is a cloud of simulations, and the hands of whoever troubles it.
type world struct {
	*shakenfist.Cloud
	simulation.Parts
	dir  string
	web  *website
	stop func() error

	mu    sync.Mutex
	hooks []step.Hook // guarded by mu; all are asked
}

// begin starts a cloud on parts; change may change its configuration.
func begin(t *testing.T, parts simulation.Parts, dir string, change ...func(*shakenfist.Config)) *world {
	t.Helper()
	w := &world{Parts: parts, dir: dir, web: &website{}}
	c := parts.Config()
	c.Node, c.Dir, c.HashCost, c.Steps = "n1", dir, 4, w.hook
	c.HTTPClient = &http.Client{Transport: w.web}
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	for _, f := range change {
		f(&c)
	}
	var err error
	w.Cloud, err = shakenfist.New(c)
	require.NoError(t, err)
	w.stop = w.Start(context.Background())
	t.Cleanup(func() { require.NoError(t, w.stop()) })
	require.NoError(t, w.Ready(t.Context()))
	return w
}

func one(t *testing.T, change ...func(*shakenfist.Config)) *world {
	t.Helper()
	return begin(t, simulation.New(), t.TempDir(), change...)
}

func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func (w *world) hook(ctx context.Context, s step.Step) error {
	w.mu.Lock()
	hooks := slices.Clone(w.hooks)
	w.mu.Unlock()
	for _, h := range hooks {
		if err := h(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) onStep(h step.Hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, h)
}

// hang makes the next step of that name hang until its context ends. The channel is closed when it does.
func (w *world) hang(name string) (hangs chan struct{}) {
	hangs = make(chan struct{})
	var once sync.Once
	w.onStep(func(ctx context.Context, s step.Step) (err error) {
		if s.Name == name && !s.After {
			once.Do(func() {
				close(hangs)
				<-ctx.Done()
				err = context.Cause(ctx)
			})
		}
		return err
	})
	return hangs
}

// failAlways makes a method of the hypervisor fail for the rest of the test.
func (w *world) failAlways(method string, err error) {
	for range 5000 {
		w.Hypervisor.FailNext(method, err)
	}
}

// website is where images come from.
type website struct {
	mu    sync.Mutex
	stall chan struct{} // guarded by mu; nothing is answered before it is closed; nil for at once
}

func (w *website) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	stall := w.stall
	w.mu.Unlock()
	if stall != nil {
		select {
		case <-stall:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	disk := make([]byte, 1<<16)
	disk[510], disk[511] = 0x55, 0xaa // a boot sector's signature
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(disk)),
		ContentLength: int64(len(disk)), Request: r,
	}, nil
}

// stalls makes images not come until the function it returns is called.
func (w *website) stalls() (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stall = make(chan struct{})
	return sync.OnceFunc(func() { close(w.stall) })
}

const imageURL = "http://images.example/disk.raw"

func spec(disks ...instance.DiskSpec) instance.Spec {
	if len(disks) == 0 {
		disks = []instance.DiskSpec{{SizeGiB: 1}}
	}
	return instance.Spec{Name: "vm", Namespace: "system", CPUs: 1, MemoryMiB: 64, Disks: disks}
}

func (w *world) lan(t *testing.T) network.Network {
	t.Helper()
	n, err := w.Networks.CreateAndWait(t.Context(), network.Spec{Name: "lan", Namespace: "system", Netblock: "10.0.0.0/24", DHCP: true})
	require.NoError(t, err)
	return n
}

func (w *world) made(t *testing.T, s instance.Spec) instance.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	i, err := w.Instances.CreateAndWait(ctx, s)
	require.NoError(t, err)
	return i
}

func (w *world) create(t *testing.T, s instance.Spec) string {
	t.Helper()
	i, err := w.Instances.Create(t.Context(), s)
	require.NoError(t, err)
	return i.ID
}

func (w *world) wait(t *testing.T, id string, states ...instance.State) instance.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	i, err := w.Instances.Wait(ctx, id, states...)
	require.NoError(t, err)
	return i
}

func (w *world) get(t *testing.T, id string) instance.Instance {
	t.Helper()
	i, err := w.Instances.Get(t.Context(), id)
	require.NoError(t, err)
	return i
}

// deleted deletes an instance, and returns how long that took.
func (w *world) deleted(t *testing.T, id string) time.Duration {
	t.Helper()
	start := time.Now()
	i, err := w.Instances.Delete(t.Context(), id)
	require.NoError(t, err)
	require.Contains(t, []instance.State{instance.DeleteWait, instance.Deleted}, i.State)
	w.wait(t, id, instance.Deleted)
	return time.Since(start)
}

func (w *world) messages(t *testing.T, id string) []string {
	t.Helper()
	events, err := w.Events.List(t.Context(), event.Object{Kind: "instance", ID: id}, "", -1)
	require.NoError(t, err)
	all := []string{}
	for _, e := range slices.Backward(events) {
		all = append(all, e.Message)
	}
	return all
}

// domains returns the power of every domain.
func (w *world) domains(t *testing.T) map[string]hypervisor.Power {
	t.Helper()
	all, err := w.Hypervisor.List(t.Context())
	require.NoError(t, err)
	powers := map[string]hypervisor.Power{}
	for _, d := range all {
		powers[d.ID] = d.Power
	}
	return powers
}

// files returns the files of instances, below their folder.
func (w *world) files(t *testing.T) []string {
	t.Helper()
	all := []string{}
	err := filepath.WalkDir(filepath.Join(w.dir, "instances"), func(path string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(filepath.Join(w.dir, "instances"), path); rel != "." {
			all = append(all, rel)
		}
		return err
	})
	require.NoError(t, err)
	return all
}

// capacity returns what a node has promised, as the store has it.
func capacity(t *testing.T, s store.Store, node string) string {
	t.Helper()
	e, err := s.Get(t.Context(), "o/capacity/"+node)
	if errors.Is(err, fault.NotFound) {
		return "0 vcpus 0 MiB 0 GiB 0 instances"
	}
	require.NoError(t, err)
	var c struct {
		Record struct {
			VCPUs     int `json:"vcpus"`
			MemoryMiB int `json:"memory_mib"`
			DiskGiB   int `json:"disk_gib"`
			Instances int `json:"instances"`
		} `json:"record"`
	}
	require.NoError(t, json.Unmarshal(e.Value, &c))
	r := c.Record
	return fmt.Sprintf("%d vcpus %d MiB %d GiB %d instances", r.VCPUs, r.MemoryMiB, r.DiskGiB, r.Instances)
}

// dump returns everything that is in a store, but for the head.
func dump(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	page, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	all := map[string]string{}
	for _, e := range page.Entries {
		if e.Key != "o/head" {
			all[e.Key] = string(e.Value)
		}
	}
	return all
}

// claims returns the keys that something living holds, but for those of networks and namespaces.
func claims(t *testing.T, s store.Store) []string {
	t.Helper()
	keys := slices.Sorted(maps.Keys(dump(t, s)))
	return slices.DeleteFunc(keys, func(k string) bool {
		for _, p := range []string{"c/mac/", "c/attached/", "c/owned/system/instance/", "o/ref/"} {
			if strings.HasPrefix(k, p) {
				return strings.Contains(k, "/version/") // an artifact's own
			}
		}
		return true
	})
}
