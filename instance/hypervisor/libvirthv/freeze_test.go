//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// agentGuest returns a running guest whose agent is testdata/agent.sh.
func agentGuest(t *testing.T, d *Driver, h *pretendhost.Host) hypervisor.Domain {
	t.Helper()
	agent, err := filepath.Abs(filepath.Join("testdata", "agent.sh"))
	if err != nil {
		t.Fatal(err)
	}
	dom := tinyFrom(t, d, h, guestimage.TinyWithAgent(t, agent), "virtio", "vda")
	dom.NICs = nil
	dom.Channels = []hypervisor.Channel{
		{Name: "sf-agent", Path: filepath.Join(h.Dir, "virtio", "sf")},
		{Name: hypervisor.GuestAgentChannel, Path: filepath.Join(h.Dir, "virtio", "ga")},
	}
	for _, err := range []error{d.Define(t.Context(), dom), d.Start(t.Context(), dom.ID)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := d.Remove(context.WithoutCancel(t.Context()), dom.ID); err != nil {
			t.Error(err)
		}
	})
	waitFor(t, dom.ConsoleLog, "AGENT-UP")
	return dom
}

func TestAnAgentFreezesTheGuest(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "freeze", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := agentGuest(t, d, h)
	hold := func(d *Driver, want string) {
		t.Helper()
		begin := time.Now()
		if by, err := d.Hold(t.Context(), dom.ID, dom.Disks); err != nil || by != want {
			t.Fatalf("frozen by %q, %v; want %q", by, err, want)
		}
		if took := time.Since(begin); took > 45*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	release := func(d *Driver) {
		t.Helper()
		if err := d.Release(t.Context(), dom.ID, dom.Disks); err != nil {
			t.Fatal(err)
		}
		released(t, d, dom)
	}
	hold(d, hypervisor.GuestAgent)
	waitFor(t, dom.ConsoleLog, "AGENT-THAWED 1")
	hold(opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir}), hypervisor.GuestAgent) // it has not to be asked again
	release(d)

	hold(d, "") // the agent refuses
	waitFor(t, dom.ConsoleLog, "AGENT-REFUSED")
	release(d)

	// An agent that is late may have frozen the guest: it is thawed as soon as it answers.
	hold(d, "")
	text := waitFor(t, dom.ConsoleLog, "AGENT-FROZEN 3")
	thaws := strings.Count(text, "AGENT-THAWED")
	release(d)
	text = waitFor(t, dom.ConsoleLog, "AGENT-FROZEN 3")
	if strings.Count(text, "AGENT-THAWED") <= thaws {
		t.Errorf("a guest that was frozen late is not thawed:\n%s", text)
	}

	// One that froze the guest and then went has done what it was asked for. It thaws the guest when it is back.
	hold(d, hypervisor.GuestAgent)
	text = waitFor(t, dom.ConsoleLog, "AGENT-BACK")
	thaws = strings.Count(text, "AGENT-THAWED")
	release(d)
	text = waitFor(t, dom.ConsoleLog, "AGENT-BACK")
	if strings.Count(text, "AGENT-THAWED") <= thaws {
		t.Errorf("a guest whose agent went and came back is not thawed:\n%s", text)
	}
}

// A daemon that dies while the guest is frozen leaves that to the next one.
func TestAGuestThatIsLeftFrozenIsThawed(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "thaw", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := agentGuest(t, d, h)
	freeze := func() error {
		return d.domain(t.Context(), "test", dom.ID, func(ld *libvirt.Domain) error {
			if err := changeMark(ld, func(m *heldMark) { m.Freezing = time.Now().Unix() }); err != nil {
				return err
			}
			return ld.FSFreeze(nil, 0)
		})
	}
	// An agent on a busy machine may miss the first call.
	for err := freeze(); err != nil; err = freeze() {
		if t.Context().Err() != nil || !hasText(err, "not available for now") {
			t.Fatal(err)
		}
	}
	next := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	if err := next.Release(t.Context(), dom.ID, dom.Disks); err != nil {
		t.Fatal(err)
	}
	waitFor(t, dom.ConsoleLog, "AGENT-THAWED 1")
	if err := next.Release(t.Context(), dom.ID, dom.Disks); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dom.ConsoleLog)
	if err != nil || strings.Contains(string(text), "AGENT-THAWED 2") {
		t.Errorf("a guest that is not frozen is thawed again: %v\n%s", err, text)
	}
}

func hasText(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }
