package cloudtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// TestStress lets ten clients create and delete at once while the host fails at random, and asserts that what was asked for
// comes to an end, that no answer is a defect, and that nothing is left when all is deleted. SF_STRESS says how many seeds.
func TestStress(t *testing.T) {
	seeds := 2
	if n, err := strconv.Atoi(os.Getenv("SF_STRESS")); err == nil {
		seeds = n
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { stress(t, uint64(seed)) })
	}
}

// How long one seed is stressed, and within which time everything must be gone afterwards.
const (
	stressed = 3 * time.Second
	calm     = 30 * time.Second
)

func stress(t *testing.T, seed uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), stressed+2*calm, errors.New("something is stuck"))
	defer cancel()
	w := cloudtest.NewSimulated(t)
	defer w.Close(t)
	p := w.Boot(ctx, t, cloudtest.Point{})
	defer p.Stop()

	storm, end := context.WithTimeout(ctx, stressed)
	defer end()
	host, ok := w.(*cloudtest.Simulated)
	require.True(t, ok)
	var all sync.WaitGroup
	all.Go(func() { damage(storm, host, rand.New(rand.NewPCG(seed, 99))) })
	for n := range 10 {
		u := &user{t: t, c: p.Client, image: w.Image(), dice: rand.New(rand.NewPCG(seed, uint64(n)))}
		all.Go(func() {
			for storm.Err() == nil {
				u.act(ctx)
			}
		})
	}
	all.Wait()

	start := time.Now()
	settled(ctx, t, p.Client)
	require.NoError(t, cloudtest.Down(ctx, p.Client))
	require.Empty(t, cloudtest.Remaining(ctx, t, w))
	require.Less(t, time.Since(start), calm)
	t.Logf("settled and gone %s after the storm", time.Since(start).Round(time.Millisecond))
}

// settled waits until nothing is on its way any more.
func settled(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	for {
		moving := 0
		instances, err := c.ListInstances(ctx, false)
		require.NoError(t, err)
		for _, i := range instances {
			if i.State != "created" && i.State != "error" {
				moving++
			}
		}
		networks, err := c.ListNetworks(ctx, false)
		require.NoError(t, err)
		for _, n := range networks {
			if n.State == "initial" {
				moving++
			}
		}
		if moving == 0 {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(context.Cause(ctx), instances, networks)
		}
	}
}

// damage makes the host fail until ctx ends, and then mends it.
func damage(ctx context.Context, w *cloudtest.Simulated, dice *rand.Rand) {
	hv, wires := w.Parts.Hypervisor, w.Parts.Network
	defer mend(w)
	kinds := []fault.Kind{fault.Unavailable, fault.Invalid, fault.Exhausted}
	for ctx.Err() == nil {
		broken := fault.New("damage", kinds[dice.IntN(len(kinds))], "", "damaged on purpose")
		switch dice.IntN(5) {
		case 0:
			hv.Disconnect()
		case 1:
			hv.Reconnect()
		case 2:
			methods := []string{"Host", "MakeDisk", "Convert", "Define", "Start", "Stop", "Remove", "List", "Watch"}
			hv.FailNext(methods[dice.IntN(len(methods))], broken)
		case 3:
			methods := []string{"Info", "Ensure", "Remove", "List"}
			wires.FailNext(methods[dice.IntN(len(methods))], broken)
		case 4: // no call of the API waits for these, so none may answer that the server is at fault
			broken = fault.New("damage", fault.Internal, "", "damaged on purpose")
			hv.FailNext([]string{"MakeDisk", "Convert", "Remove", "List"}[dice.IntN(4)], broken)
			wires.FailNext([]string{"Ensure", "Remove", "List"}[dice.IntN(3)], broken)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(dice.IntN(40)) * time.Millisecond):
		}
	}
}

// mend ends the damage that would hit who looks whether anything is left.
func mend(w *cloudtest.Simulated) {
	w.Parts.Hypervisor.Reconnect()
	for broken := true; broken; {
		_, hv := w.Parts.Hypervisor.List(context.Background())
		_, wires := w.Parts.Network.List(context.Background())
		broken = hv != nil || wires != nil
	}
}

// user does one thing after the other.
type user struct {
	t     *testing.T
	c     *client.Client
	image string
	dice  *rand.Rand
}

func (u *user) act(ctx context.Context) {
	var err error
	switch u.dice.IntN(8) {
	case 0:
		name := "lan"
		_, err = u.c.CreateNetwork(ctx, api.CreateNetwork{Name: &name, Netblock: "10.0.0.0/24"})
	case 1, 2, 3:
		err = u.create(ctx)
	case 4, 5:
		err = u.each(ctx, func(i api.Instance) error { _, err := u.c.DeleteInstance(ctx, i.UUID); return err })
	case 6:
		on := u.dice.IntN(2) == 0
		err = u.each(ctx, func(i api.Instance) error {
			if i.State != "created" {
				return nil
			}
			if on {
				return u.c.PowerOn(ctx, i.UUID)
			}
			return u.c.PowerOff(ctx, i.UUID)
		})
	case 7:
		var n []api.Network
		if n, err = u.c.ListNetworks(ctx, false); err == nil && len(n) > 1 {
			_, err = u.c.DeleteNetwork(ctx, n[u.dice.IntN(len(n))].UUID)
		}
	}
	var f *fault.Error
	if err != nil && (!errors.As(err, &f) || f.Kind == fault.Unauthorized || f.Kind == fault.Internal) {
		u.t.Errorf("an answer that nobody should get: %v", err)
	}
}

func (u *user) create(ctx context.Context) error {
	networks, err := u.c.ListNetworks(ctx, false)
	if err != nil {
		return err
	}
	on, image := "", ""
	if len(networks) > 0 {
		n := networks[u.dice.IntN(len(networks))]
		if n.State != "created" {
			return nil // the client would wait
		}
		on = n.UUID
	}
	if u.dice.IntN(2) == 0 {
		image = u.image
	}
	_, err = u.c.CreateInstance(ctx, cloudtest.Tiny("vm", image, on))
	return err
}

// each does something with one instance.
func (u *user) each(ctx context.Context, do func(api.Instance) error) error {
	all, err := u.c.ListInstances(ctx, false)
	if err != nil || len(all) == 0 {
		return err
	}
	return do(all[u.dice.IntN(len(all))])
}
