package hypervisortest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

func guestPowersOff(t *testing.T, b bench) {
	need(t, b.PowerOff != nil, "PowerOff")
	d := b.running(t, idA)
	b.spoke(t, d, 1)
	events := b.watch(t)
	must(t, b.PowerOff(b.ctx, idA))
	await(t, events, 10*time.Second, hypervisor.Event{ID: idA, Power: hypervisor.PowerOff})
	if p := b.power(t); p != hypervisor.PowerOff {
		t.Errorf("power is %q, want off", p)
	}
	must(t, b.Driver.Start(b.ctx, idA))
}

func guestDies(t *testing.T, b bench) {
	need(t, b.Crash != nil, "Crash")
	b.running(t, idA)
	events := b.watch(t)
	must(t, b.Crash(b.ctx, idA))
	await(t, events, 10*time.Second, hypervisor.Event{ID: idA, Power: hypervisor.PowerCrashed})
	if p := b.power(t); p != hypervisor.PowerCrashed {
		t.Errorf("power is %q, want crashed", p)
	}
	must(t, b.Driver.Start(b.ctx, idA))
	if p := b.power(t); p != hypervisor.PowerOn {
		t.Errorf("power after another start is %q, want on", p)
	}
}

func consoleLog(t *testing.T, b bench) {
	d := b.running(t, idA)
	first := b.spoke(t, d, 1)
	must(t, b.Driver.Stop(b.ctx, idA))
	must(t, b.Driver.Start(b.ctx, idA))
	b.spoke(t, d, first+1)
}

// spoke waits until the guest has written at least that many bytes, and returns how many there are.
func (b bench) spoke(t *testing.T, d hypervisor.Domain, least int) int {
	t.Helper()
	n := 0
	until(t, b.ctx, "the guest's console log has no more text", func() bool {
		text, err := os.ReadFile(d.ConsoleLog)
		n = len(text)
		return err == nil && n >= least
	})
	return n
}

func lostConnection(t *testing.T, b bench) {
	need(t, b.Disconnect != nil && b.Reconnect != nil, "Disconnect and Reconnect")
	b.running(t, idA)
	events := b.watch(t)
	must(t, b.Disconnect(b.ctx))
	until(t, b.ctx, "calls still succeed without a hypervisor", func() bool {
		_, err := b.Driver.List(b.ctx)
		if err != nil && !errors.Is(err, fault.Unavailable) {
			t.Fatalf("error is %v, want unavailable", err)
		}
		return err != nil
	})
	if err := b.Driver.Start(b.ctx, idA); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Start: error is %v, want unavailable", err)
	}
	must(t, b.Reconnect(b.ctx))
	await(t, events, time.Minute, hypervisor.Event{})
	if p := b.power(t); p != hypervisor.PowerOn {
		t.Errorf("the guest that ran all the time is %q, want on", p)
	}
	must(t, b.Driver.Stop(b.ctx, idA))
	// A hypervisor that has just come back may lose an event while it takes up its guests; then it says so once more.
	await(t, events, 10*time.Second, hypervisor.Event{ID: idA, Power: hypervisor.PowerOff}, hypervisor.Event{})
}

func openedAgain(t *testing.T, b bench) {
	need(t, b.Again != nil, "Again")
	d := b.running(t, idA)
	other := b.Again(t)
	all, err := other.List(b.ctx)
	must(t, err)
	if len(all) != 1 || all[0] != (hypervisor.Status{ID: idA, Power: hypervisor.PowerOn}) {
		t.Errorf("list is %v, want %s on", all, idA)
	}
	must(t, other.Define(b.ctx, d))
	must(t, other.Start(b.ctx, idA))
	must(t, other.Remove(b.ctx, idA))
	if p := b.power(t); p != "" {
		t.Errorf("the domain that the other driver removed is %q here, want it not listed", p)
	}
}

func strangerIsLeftAlone(t *testing.T, b bench) {
	need(t, b.Stranger != nil, "Stranger")
	intact, err := b.Stranger(b.ctx, idB)
	must(t, err)
	b.defined(t, idA)
	all, err := b.Driver.List(b.ctx)
	must(t, err)
	if len(all) != 1 || all[0].ID != idA {
		t.Errorf("list is %v, want only %s", all, idA)
	}
	for name, call := range map[string]func(context.Context, string) error{"Start": b.Driver.Start, "Stop": b.Driver.Stop} {
		if err := call(b.ctx, idB); !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: error is %v, want not found", name, err)
		}
	}
	must(t, b.Driver.Remove(b.ctx, idB))
	if err := b.Driver.Define(b.ctx, b.guest(t, idB)); !errors.Is(err, fault.Invalid) {
		t.Errorf("Define: error is %v, want invalid", err)
	}
	if !intact(b.ctx) {
		t.Error("the domain of somebody else was touched")
	}
}

func need(t *testing.T, ok bool, what string) {
	t.Helper()
	if !ok {
		t.Fatalf("this check needs Env.%s; name the promise in Env.Lacks if it cannot be given", what)
	}
}
