package bounded_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/bounded"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/simulation"
)

// hung is a hypervisor and a network whose calls end only with their context.
type hung struct{ hypervisor.Driver }

func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func (hung) Host(ctx context.Context) (hypervisor.Host, error)     { return hypervisor.Host{}, hang(ctx) }
func (hung) List(ctx context.Context) ([]hypervisor.Status, error) { return nil, hang(ctx) }
func (hung) MakeDisk(ctx context.Context, _ hypervisor.Disk) error { return hang(ctx) }
func (hung) Define(ctx context.Context, _ hypervisor.Domain) error { return hang(ctx) }
func (hung) Start(ctx context.Context, _ string) error             { return hang(ctx) }
func (hung) Stop(ctx context.Context, _ string) error              { return hang(ctx) }
func (hung) Remove(ctx context.Context, _ string) error            { return hang(ctx) }
func (hung) Hold(ctx context.Context, _ string, _ []hypervisor.DomainDisk) (string, error) {
	return "", hang(ctx)
}

type hungNetwork struct{}

func (hungNetwork) Info(ctx context.Context) (netdriver.Info, error) {
	return netdriver.Info{}, hang(ctx)
}
func (hungNetwork) List(ctx context.Context) ([]netdriver.ID, error)      { return nil, hang(ctx) }
func (hungNetwork) Ensure(ctx context.Context, _ netdriver.Network) error { return hang(ctx) }
func (hungNetwork) Remove(ctx context.Context, _ netdriver.ID) error      { return hang(ctx) }

func TestACallThatHangsEnds(t *testing.T) {
	t.Parallel()
	hv, net := bounded.Hypervisor(hung{}), bounded.Network(hungNetwork{})
	for name, call := range map[string]func(context.Context) error{
		"Host":     func(ctx context.Context) error { _, err := hv.Host(ctx); return err },
		"List":     func(ctx context.Context) error { _, err := hv.List(ctx); return err },
		"MakeDisk": func(ctx context.Context) error { return hv.MakeDisk(ctx, hypervisor.Disk{}) },
		"Define":   func(ctx context.Context) error { return hv.Define(ctx, hypervisor.Domain{}) },
		"Start":    func(ctx context.Context) error { return hv.Start(ctx, "i") },
		"Stop":     func(ctx context.Context) error { return hv.Stop(ctx, "i") },
		"Remove":   func(ctx context.Context) error { return hv.Remove(ctx, "i") },
		"Hold":     func(ctx context.Context) error { _, err := hv.Hold(ctx, "i", nil); return err },
		"Info":     func(ctx context.Context) error { _, err := net.Info(ctx); return err },
		"Networks": func(ctx context.Context) error { _, err := net.List(ctx); return err },
		"Ensure":   func(ctx context.Context) error { return net.Ensure(ctx, netdriver.Network{}) },
		"End":      func(ctx context.Context) error { return net.Remove(ctx, netdriver.ID{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := call(t.Context())
				require.Equal(t, bounded.Limit, time.Since(start))
				require.ErrorIs(t, err, fault.Unavailable)
				require.Contains(t, fault.Text(err), "did not answer in 1m0s")
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.ErrorIs(t, call(ctx), context.DeadlineExceeded, "the caller's own haste is said as it is")
			})
		})
	}
}

// startless is a hypervisor that never comes back from starting a guest.
type startless struct{ hypervisor.Driver }

func (startless) Start(ctx context.Context, _ string) error { return hang(ctx) }

func TestAnInstanceWhoseStartHangsIsToldOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := simulation.Config()
		config.Dir, config.HashCost, config.Hypervisor = t.TempDir(), 4, startless{config.Hypervisor}
		cloud, err := shakenfist.New(config)
		require.NoError(t, err)
		stop := cloud.Start(t.Context())
		start := time.Now()
		_, err = cloud.Instances.CreateAndWait(t.Context(), instance.Spec{
			Name: "web", Namespace: "system", CPUs: 1, MemoryMiB: 128, Disks: []instance.DiskSpec{{SizeGiB: 1}},
		})
		require.ErrorContains(t, err, "start domain: the hypervisor did not answer in 1m0s")
		require.Less(t, time.Since(start), 5*time.Minute)
		require.NoError(t, errors.Join(stop()))
	})
}
