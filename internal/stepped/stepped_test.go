package stepped_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/hypervisortest"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/qcow2"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/stepped"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
	"github.com/shakenfist/shakenfist/store/storetest"
)

func ignore(context.Context, step.Step) error { return nil }

// A seam that is announced is still that seam.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		storetest.TestStore(t, func(*testing.T) store.Store { return stepped.Store(memstore.New(), ignore) })
	})
	t.Run("hypervisor", func(t *testing.T) {
		t.Parallel()
		hypervisortest.TestDriver(t, func(*testing.T) hypervisortest.Env {
			d := simhv.New(simhv.Options{})
			return hypervisortest.Env{
				Driver:   stepped.Hypervisor(d, ignore),
				PowerOff: func(_ context.Context, id string) error { return d.GuestShutdown(id) },
				Crash:    func(_ context.Context, id string) error { return d.Crash(id) },
				Write:    func(_ context.Context, dom hypervisor.Domain) error { return d.Write(dom.ID, "vda", "w") },
				Writes: func(_ context.Context, path string, backing []string) (int, error) {
					text, err := simhv.Written(append([]string{path}, backing...)...)
					return strings.Count(text, "\n"), err
				},
				Disconnect: func(context.Context) error { d.Disconnect(); return nil },
				Reconnect:  func(context.Context) error { d.Reconnect(); return nil },
				Lacks: map[string]string{
					"a domain that is not ours is left alone":            "nobody but the driver can define a simulated domain",
					"what a cut-off call has left is replaced":           "the caller's hook gives way to the seam's",
					"whoever dies while a disk is held, nothing is lost": "the caller's hook gives way to the seam's",
					"a hold or release that was cut off is made good":    "the caller's hook gives way to the seam's",
					"a copy is whole or not there":                       "the caller's hook gives way to the seam's",
					"a driver that was opened again knows its domains":   "a simulated hypervisor lasts as long as its driver",
				},
			}
		})
	})
}

func TestEveryChangeThroughASeamIsAStep(t *testing.T) {
	killed := errors.New("killed")
	id := netdriver.ID{UUID: "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01", VXLAN: 7}
	disk := hypervisor.Disk{Path: filepath.Join(t.TempDir(), "vda"), SizeBytes: 1 << 20}
	image := hypervisor.Image{Path: disk.Path + "1", Format: hypervisor.QCOW2}
	require.NoError(t, os.WriteFile(image.Path, qcow2.Empty(1<<20, ""), 0o600))
	dom := hypervisor.Domain{ID: "u1", VCPUs: 1, MemoryMiB: 1}
	type seams struct {
		store store.Store
		hv    hypervisor.Driver
		net   netdriver.Driver
	}
	for _, c := range []struct {
		name, ref string
		call      func(context.Context, seams) error
	}{
		{"commit create instance", "u1", func(ctx context.Context, s seams) error {
			_, err := s.store.Commit(step.Named(ctx, "commit create instance", "u1"), nil, []store.Op{store.Put("a", nil)})
			return err
		}},
		{"commit", "", func(ctx context.Context, s seams) error {
			_, err := s.store.Commit(ctx, nil, []store.Op{store.Put("a", nil)})
			return err
		}},
		{"hypervisor.MakeDisk", disk.Path, func(ctx context.Context, s seams) error { return s.hv.MakeDisk(ctx, disk) }},
		{"hypervisor.Convert", disk.Path + "2", func(ctx context.Context, s seams) error { return s.hv.Convert(ctx, image, disk.Path+"2") }},
		{"hypervisor.Define", "u1", func(ctx context.Context, s seams) error { return s.hv.Define(ctx, dom) }},
		{"hypervisor.Start", "u1", func(ctx context.Context, s seams) error { return s.hv.Start(ctx, "u1") }},
		{"hypervisor.Stop", "u1", func(ctx context.Context, s seams) error { return s.hv.Stop(ctx, "u1") }},
		{"hypervisor.Remove", "u1", func(ctx context.Context, s seams) error { return s.hv.Remove(ctx, "u1") }},
		{"hypervisor.Hold", "u1", func(ctx context.Context, s seams) error {
			_, err := s.hv.Hold(ctx, "u1", nil)
			return err
		}},
		{"hypervisor.Release", "u1", func(ctx context.Context, s seams) error { return s.hv.Release(ctx, "u1", nil) }},
		{"hypervisor.CopyDisk", disk.Path + "3", func(ctx context.Context, s seams) error {
			return s.hv.CopyDisk(ctx, hypervisor.DiskCopy{Src: disk.Path, Dst: disk.Path + "3"})
		}},
		{"network.Ensure", id.UUID, func(ctx context.Context, s seams) error {
			return s.net.Ensure(ctx, netdriver.Network{ID: id, MTU: 1400})
		}},
		{"network.Remove", id.UUID, func(ctx context.Context, s seams) error { return s.net.Remove(ctx, id) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var heard []step.Step
			var refuse error
			hook := func(_ context.Context, s step.Step) error { heard = append(heard, s); return refuse }
			mem, hv, wires := memstore.New(), simhv.New(simhv.Options{}), simnet.New()
			ready(t, hv, wires, disk, dom, id)
			s := seams{stepped.Store(mem, hook), stepped.Hypervisor(hv, hook), stepped.Network(wires, hook)}

			refuse = killed
			require.ErrorIs(t, c.call(t.Context(), s), killed)
			require.Zero(t, mem.Stats().Commits, "the effect was not prevented")

			heard, refuse = nil, nil
			require.NoError(t, c.call(t.Context(), s))
			heard = slices.DeleteFunc(heard, func(s step.Step) bool { return s.Name != c.name }) // renames within are steps too
			require.Equal(t, []step.Step{{Name: c.name, Ref: c.ref}, {Name: c.name, Ref: c.ref, After: true}}, heard)
		})
	}
}

// ready makes what the calls need to succeed.
func ready(t *testing.T, hv *simhv.Driver, wires *simnet.Driver, disk hypervisor.Disk, dom hypervisor.Domain, id netdriver.ID) {
	t.Helper()
	require.NoError(t, hv.MakeDisk(t.Context(), disk))
	require.NoError(t, hv.Define(t.Context(), dom))
	require.NoError(t, wires.Ensure(t.Context(), netdriver.Network{ID: id, MTU: 1400}))
}

func TestReadsAreNoSteps(t *testing.T) {
	t.Parallel()
	refuse := func(_ context.Context, s step.Step) error { return errors.New("a read is a step: " + s.Name) }
	s, hv, wires := stepped.Store(memstore.New(), refuse), stepped.Hypervisor(simhv.New(simhv.Options{}), refuse), stepped.Network(simnet.New(), refuse)
	_, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	_, err = hv.Host(t.Context())
	require.NoError(t, err)
	_, err = hv.List(t.Context())
	require.NoError(t, err)
	_, err = wires.Info(t.Context())
	require.NoError(t, err)
	_, err = wires.List(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range hv.Watch(ctx) {
		require.NoError(t, err)
	}
}
