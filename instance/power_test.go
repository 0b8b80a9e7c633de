package instance_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/simulation"
)

// power returns an instance's power once nothing more happens at this moment: no time passes.
func (w *world) power(t *testing.T, id string) string {
	t.Helper()
	synctest.Wait()
	return w.get(t, id).Power
}

func TestPowerOffAndOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		id := w.made(t, spec()).ID
		for range 2 {
			require.NoError(t, w.Instances.PowerOff(t.Context(), id))
			require.Equal(t, "off", w.get(t, id).Power)
			require.Equal(t, hypervisor.PowerOff, w.domains(t)[id])
		}
		for range 2 {
			require.NoError(t, w.Instances.PowerOn(t.Context(), id))
			require.Equal(t, "on", w.get(t, id).Power)
			require.Equal(t, hypervisor.PowerOn, w.domains(t)[id])
		}
		console, err := w.Instances.Console(t.Context(), id, -1)
		require.NoError(t, err)
		require.Equal(t, 2, strings.Count(string(console), "SIM-BOOT"), "powering on what runs is no reboot")
		time.Sleep(time.Hour)
		require.Equal(t, "on", w.power(t, id))
		require.Equal(t, []string{
			"create request", "building began", "disks laid out", "created", "power off request", "powered off", "power off request",
			"powered off", "power on request", "powered on", "power on request", "powered on",
		}, w.messages(t, id))
	})
}

func TestWhatAGuestDoesByItselfIsSeenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		id := w.made(t, spec()).ID
		for _, c := range []struct {
			does func(string) error
			want string
		}{
			{w.Hypervisor.GuestShutdown, "off"}, {w.Hypervisor.Crash, "crashed"}, {w.Hypervisor.Vanish, "off"}, {w.Hypervisor.GuestShutdown, "off"},
		} {
			require.NoError(t, c.does(id))
			require.Equal(t, c.want, w.power(t, id))
			require.Equal(t, instance.Created, w.get(t, id).State)
			time.Sleep(time.Hour)
			require.Equal(t, c.want, w.power(t, id), "a guest that ended is not started behind its back")
			require.NoError(t, w.Instances.PowerOn(t.Context(), id))
			require.Equal(t, "on", w.power(t, id))
		}
	})
}

func TestAGuestThatEndsAsSoonAsItStartsIsOff(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"at its first start", "at a later one"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := one(t)
				shutdown := func(_ context.Context, s step.Step) error {
					if s.Name == "hypervisor.Start" && s.After {
						require.NoError(t, w.Hypervisor.GuestShutdown(s.Ref))
						synctest.Wait() // what the hypervisor tells is heard first
					}
					return nil
				}
				if name == "at its first start" {
					w.onStep(shutdown)
				}
				id := w.made(t, spec()).ID
				if name != "at its first start" {
					require.NoError(t, w.Instances.PowerOff(t.Context(), id))
					w.onStep(shutdown)
					require.NoError(t, w.Instances.PowerOn(t.Context(), id))
				}
				require.Equal(t, "off", w.power(t, id))
			})
		})
	}
}

func TestPowerIsForInstancesThatAreBuilt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		require.ErrorIs(t, w.Instances.PowerOn(t.Context(), "none"), fault.NotFound)
		release := w.web.stalls()
		defer release()
		building := w.create(t, spec(instance.DiskSpec{Base: imageURL}))
		synctest.Wait()
		err := w.Instances.PowerOff(t.Context(), building)
		require.ErrorIs(t, err, fault.NotReady)
		require.Contains(t, fault.Text(err), "is not ready (creating)")
		require.Equal(t, "initial", w.get(t, building).Power)
		w.deleted(t, building)
		require.ErrorIs(t, w.Instances.PowerOff(t.Context(), building), fault.NotReady)
	})
}

func TestAGuestThatCanNotBeStartedSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		id := w.made(t, spec()).ID
		require.NoError(t, w.Instances.PowerOff(t.Context(), id))
		w.Hypervisor.FailNext("Start", fault.New("test", fault.Exhausted, "", "the host has no memory"))
		err := w.Instances.PowerOn(t.Context(), id)
		require.Equal(t, fault.Exhausted, fault.KindOf(err))
		require.Contains(t, fault.Text(err), "the host has no memory")
		require.Equal(t, "off", w.power(t, id))
		require.Equal(t, instance.Created, w.get(t, id).State)
		time.Sleep(time.Hour)
		require.Equal(t, "off", w.power(t, id), "a failure that was told is not tried again in secret")
		require.NoError(t, w.Instances.PowerOn(t.Context(), id))
		require.Equal(t, "on", w.power(t, id))
	})
}

func TestAHypervisorThatGoesAndComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		a, b := w.made(t, spec()).ID, w.made(t, spec()).ID
		w.Hypervisor.Disconnect()
		start := time.Now()
		err := w.Instances.PowerOff(t.Context(), a)
		require.Equal(t, fault.Unavailable, fault.KindOf(err), err)
		require.LessOrEqual(t, time.Since(start), time.Minute)
		time.Sleep(time.Minute)
		node, err := w.Nodes.Get(t.Context(), "n1")
		require.NoError(t, err)
		require.Contains(t, node.Down, "does not answer")
		_, err = w.Instances.Create(t.Context(), spec())
		require.Equal(t, fault.Exhausted, fault.KindOf(err))
		require.Contains(t, fault.Text(err), "does not answer")
		require.Equal(t, "on", w.power(t, b), "guests run on")
		_, err = w.Instances.Delete(t.Context(), a)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, instance.DeleteWait, w.get(t, a).State, "nobody knows whether the guest is gone")

		require.Error(t, w.Hypervisor.GuestShutdown("none"))
		require.NoError(t, w.Hypervisor.GuestShutdown(b)) // and nobody hears of it
		require.Equal(t, "on", w.power(t, b))
		w.Hypervisor.Reconnect()
		require.Equal(t, "off", w.power(t, b))
		w.wait(t, a, instance.Deleted)
		require.Equal(t, map[string]hypervisor.Power{b: hypervisor.PowerOff}, w.domains(t))
		require.NoError(t, w.Instances.PowerOn(t.Context(), b))
		w.made(t, spec())
	})
}

func TestAWatchThatBreaksIsMadeAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts := simulation.New()
		for range 3 {
			parts.Hypervisor.FailNext("Watch", fault.New("test", fault.Unavailable, "", "broken"))
		}
		w := begin(t, parts, t.TempDir())
		id := w.made(t, spec()).ID
		require.NoError(t, w.Hypervisor.GuestShutdown(id))
		time.Sleep(4 * time.Second)
		require.Equal(t, "off", w.power(t, id))
	})
}

func TestACallForPowerIsAnsweredInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		id := w.made(t, spec()).ID
		hangs := w.hang("hypervisor.Stop")
		start := time.Now()
		err := w.Instances.PowerOff(t.Context(), id)
		<-hangs
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.Contains(t, fault.Text(err), "did not answer in 1m0s")
		require.Equal(t, time.Minute, time.Since(start))

		// Deleting cuts the hanging call off, and whoever waits hears of it.
		hangs = w.hang("hypervisor.Stop")
		waiting := make(chan error)
		go func() { waiting <- w.Instances.PowerOff(t.Context(), id) }()
		<-hangs
		require.Less(t, w.deleted(t, id), time.Second)
		err = <-waiting
		require.Equal(t, fault.Conflict, fault.KindOf(err))
		require.Contains(t, fault.Text(err), "instance became deleted meanwhile")
	})
}

func TestARestartDisturbsNoGuest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts, dir := simulation.New(), t.TempDir()
		w := begin(t, parts, dir)
		runs, ended, gone := w.made(t, spec()).ID, w.made(t, spec()).ID, w.made(t, spec()).ID
		require.NoError(t, w.stop())
		require.Equal(t, hypervisor.PowerOn, w.domains(t)[runs])
		require.NoError(t, parts.Hypervisor.GuestShutdown(ended))
		require.NoError(t, parts.Hypervisor.Vanish(gone))
		w = begin(t, parts, dir)
		require.Equal(t, "on", w.power(t, runs))
		require.Equal(t, "off", w.power(t, ended))
		require.Equal(t, "off", w.power(t, gone))
		console, err := w.Instances.Console(t.Context(), runs, -1)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(console), "SIM-BOOT"))
	})
}
