package instance_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store"
)

// full is a spec that needs everything a cloud has.
func full() instance.Spec {
	s := spec(instance.DiskSpec{Base: imageURL, SizeGiB: 1}, instance.DiskSpec{SizeGiB: 1})
	s.Networks = []network.Request{{Network: "lan"}}
	return s
}

// stepsOf returns the steps of building an instance, in order.
func stepsOf(t *testing.T) (names []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := one(t)
		w.lan(t)
		synctest.Wait() // what a node does when it begins is no step of an instance
		recording := true
		w.onStep(func(_ context.Context, s step.Step) error {
			w.mu.Lock() // loops run beside each other
			defer w.mu.Unlock()
			if recording && !s.After && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
			return nil
		})
		w.made(t, full())
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		recording = false
	})
	// The first is Create itself; the others measure what an image's versions take, which nobody waits for.
	others := []string{"commit create instance", "commit sample", "append events", "sync events"}
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(others, n) })
}

// nothingLeft fails unless an instance that was deleted holds nothing any more.
func (w *world) nothingLeft(t *testing.T) {
	t.Helper()
	synctest.Wait()
	require.Empty(t, w.domains(t))
	require.Empty(t, w.files(t))
	require.Empty(t, claims(t, w.Store))
	require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, w.Store, "n1"))
	time.Sleep(time.Minute)
	synctest.Wait()
	require.Empty(t, w.domains(t))
	require.Empty(t, w.files(t))
}

func TestDeletePreemptsCreateAtEveryStep(t *testing.T) {
	t.Parallel()
	steps := stepsOf(t)
	t.Logf("%d steps: %s", len(steps), strings.Join(steps, ", "))
	for _, must := range []string{"commit begin instance", "hypervisor.Convert", "network.Ensure", "hypervisor.MakeDisk", "rename config drive", "hypervisor.Define", "hypervisor.Start", "commit instance created"} {
		require.Contains(t, steps, must)
	}
	for _, name := range steps {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := one(t)
				w.lan(t)
				synctest.Wait()
				hangs := w.hang(name)
				id := w.create(t, full())
				<-hangs
				synctest.Wait()
				require.Less(t, w.deleted(t, id), time.Second)
				w.nothingLeft(t)
			})
		})
	}
}

func TestDeletePreemptsTheWaitForAnImage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		w.lan(t)
		release := w.web.stalls()
		id := w.create(t, full())
		time.Sleep(10 * time.Second)
		require.Equal(t, instance.Creating, w.get(t, id).State)
		require.Zero(t, w.deleted(t, id))
		w.nothingLeft(t)
		release()
		w.made(t, full())
	})
}

func TestAStepThatFailsOnceIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, name := range stepsOf(t) {
		for _, after := range []bool{false, true} {
			t.Run(map[bool]string{false: "before ", true: "after "}[after]+name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := one(t)
					w.lan(t)
					synctest.Wait()
					var failed atomic.Int32
					w.onStep(func(_ context.Context, s step.Step) error {
						if s.Name == name && s.After == after && failed.CompareAndSwap(0, 1) {
							return fault.New("test", fault.Unavailable, "", "a passing fault")
						}
						return nil
					})
					start := time.Now()
					id := w.create(t, full())
					i := w.wait(t, id, instance.Created, instance.Error)
					require.Equal(t, instance.Created, i.State, i.Error)
					synctest.Wait()
					require.EqualValues(t, 1, failed.Load(), "the step was not reached")
					require.Less(t, time.Since(start), 5*time.Second)
					require.Len(t, w.domains(t), 1)
					w.deleted(t, id)
					w.nothingLeft(t)
				})
			})
		}
	}
}

func TestAnErrorSaysWhichStepAndWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method string
		step   string
	}{
		"an image that can't be prepared": {"Convert", "prepare image: "},
		"a disk that can't be made":       {"MakeDisk", "make disks: "},
		"a domain that is refused":        {"Define", "define domain: "},
		"a guest that does not start":     {"Start", "start domain: "},
	} {
		for _, kind := range []fault.Kind{fault.Invalid, fault.Exhausted, fault.Unavailable, fault.Internal} {
			within := 30 * time.Second
			if fault.Permanent(kind) {
				within = time.Second
			}
			t.Run(name+", "+string(kind), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := one(t)
					w.lan(t)
					w.failAlways(c.method, fault.New("test", kind, "", "the host has a cold"))
					id := w.create(t, full())
					start := time.Now()
					i := w.wait(t, id, instance.Error)
					require.LessOrEqual(t, time.Since(start), within)
					require.True(t, strings.HasPrefix(i.Error, c.step), i.Error)
					require.Contains(t, i.Error, "the host has a cold")
					_, err := w.Instances.Wait(t.Context(), id, instance.Created)
					require.ErrorContains(t, err, i.Error)

					// It holds nothing any more: others can have its place and its address.
					require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, w.Store, "n1"))
					for _, k := range claims(t, w.Store) {
						require.Equal(t, "c/owned/system/instance/"+id, k)
					}
					require.Empty(t, w.domains(t))
					require.NotContains(t, strings.Join(w.files(t), " "), "vd")
					require.Zero(t, w.deleted(t, id))
					w.nothingLeft(t)
				})
			})
		}
	}
}

func TestAnErrorIsReachedAlsoWhereNothingCanBeTakenDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		w.failAlways("Start", fault.New("test", fault.Invalid, "", "the firmware is missing"))
		w.failAlways("Remove", errors.New("the domain is stuck"))
		id := w.create(t, spec())
		start := time.Now()
		i := w.wait(t, id, instance.Error)
		require.LessOrEqual(t, time.Since(start), time.Minute, "stuck in creating")
		require.Contains(t, i.Error, "the firmware is missing")
	})
}

func TestADeleteThatDoesNotGetOnSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		id := w.made(t, spec()).ID
		w.failAlways("Remove", errors.New("the domain is stuck"))
		_, err := w.Instances.Delete(t.Context(), id)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		i := w.get(t, id)
		require.Equal(t, instance.DeleteWait, i.State)
		require.Contains(t, i.Error, "the domain is stuck")
		require.Contains(t, strings.Join(w.messages(t, id), ", "), "deleting does not get on")
	})
}

func TestTheDeadlineEndsWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t, func(c *shakenfist.Config) { c.Deadline = 3 * time.Minute })
		w.hang("hypervisor.Convert")
		id := w.create(t, spec(instance.DiskSpec{Base: imageURL}))
		start := time.Now()
		i := w.wait(t, id, instance.Error)
		require.InDelta(t, 3*time.Minute, time.Since(start), float64(time.Second))
		require.Contains(t, i.Error, "prepare image: not done after 3m0s; delete the instance and create it again")
		require.Zero(t, w.deleted(t, id))
		w.nothingLeft(t)
	})
}

func TestWhatNobodyWantsIsRemovedAndNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts, dir := simulation.New(), t.TempDir()
		w := begin(t, parts, dir)
		wanted, newer := w.made(t, spec()).ID, w.made(t, spec()).ID
		require.NoError(t, w.stop())
		stray := func(id string) {
			folder := filepath.Join(dir, "instances", id)
			require.NoError(t, os.MkdirAll(folder, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "vda"), []byte("x"), 0o600))
			require.NoError(t, parts.Hypervisor.Define(t.Context(), hypervisor.Domain{ID: id, VCPUs: 1, MemoryMiB: 1}))
			require.NoError(t, parts.Hypervisor.Start(t.Context(), id))
		}
		ids := []string{"0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01", "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e02", "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e03"}
		for _, id := range ids {
			stray(id)
		}
		theirs := filepath.Join(dir, "instances", "lost+found")
		require.NoError(t, os.Mkdir(theirs, 0o700))
		_, err := parts.Store.Commit(t.Context(), nil, []store.Op{
			store.Put("o/instance/"+newer, []byte(`{"schema":99,"record":{}}`)), store.Put("o/head", nil),
		})
		require.NoError(t, err)
		parts.Hypervisor.FailNext("Remove", fault.New("test", fault.Unavailable, "", "busy"))

		w = begin(t, parts, dir)
		synctest.Wait()
		require.Len(t, w.domains(t), 3, "one that can't be removed keeps the others")
		time.Sleep(31 * time.Second)
		want := map[string]hypervisor.Power{wanted: hypervisor.PowerOn, newer: hypervisor.PowerOn}
		require.Equal(t, want, w.domains(t))
		stray(ids[0])
		time.Sleep(31 * time.Second)
		require.Equal(t, want, w.domains(t))
		require.DirExists(t, theirs)
		for _, f := range w.files(t) {
			require.True(t, strings.HasPrefix(f, wanted) || strings.HasPrefix(f, newer) || f == filepath.Base(theirs), f)
		}
	})
}

func TestAFailedInstanceKeepsItsConsole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		w.onStep(func(_ context.Context, s step.Step) error {
			if s.Name == "commit instance created" && !s.After {
				return fault.New("test", fault.Invalid, "", "refused") // after the guest has started
			}
			return nil
		})
		id := w.create(t, spec())
		w.wait(t, id, instance.Error)
		time.Sleep(time.Minute)
		require.Equal(t, []string{id, id + "/console.log"}, w.files(t))
		console, err := w.Instances.Console(t.Context(), id, 30)
		require.NoError(t, err)
		require.Len(t, console, 30)
		w.deleted(t, id)
		w.nothingLeft(t)
	})
}
