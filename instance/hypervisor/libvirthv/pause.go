//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"sync"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// pause has a running guest stand still until resume. The domain is marked, so that somebody else can resume it if this
// process dies. One that is paused already stays so.
func (d *Driver) pause(ld *libvirt.Domain, id string) error {
	state, _, err := ld.GetState()
	if err != nil || state != libvirt.DOMAIN_RUNNING {
		return err
	}
	if err := changeMark(ld, func(m *heldMark) { m.Paused = true }); err != nil {
		return err
	}
	d.pauses.begin(id)
	if err := ld.Suspend(); err != nil {
		d.pauses.end(id)
		d.pauses.silences(id)
		return err
	}
	return nil
}

// resume ends what pause has done, also in another process.
func (d *Driver) resume(ld *libvirt.Domain) error {
	m, err := getMark(ld)
	if err != nil {
		return err
	}
	if m.Paused {
		state, _, err := ld.GetState()
		if err != nil {
			return err
		}
		if state == libvirt.DOMAIN_PAUSED {
			if err := ld.Resume(); err != nil {
				return err
			}
		}
	}
	if id, err := ld.GetUUIDString(); err == nil {
		d.pauses.end(id)
	}
	return changeMark(ld, func(m *heldMark) { m.Paused = false })
}

// pauses knows the guests that are paused for a moment, which is nobody's business: they are seen as running.
type pauses struct {
	mu    sync.Mutex
	now   map[string]bool // guarded by mu; by ID
	quiet map[string]int  // guarded by mu; by ID: events of libvirt that are not passed on
}

func (p *pauses) begin(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil {
		p.now, p.quiet = map[string]bool{}, map[string]int{}
	}
	p.now[id] = true
	p.quiet[id]++
}

func (p *pauses) end(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.now, id)
}

// seen returns the power to be shown for a domain that has power.
func (p *pauses) seen(id string, power hypervisor.Power) hypervisor.Power {
	p.mu.Lock()
	defer p.mu.Unlock()
	if power == hypervisor.PowerPaused && p.now[id] {
		return hypervisor.PowerOn
	}
	return power
}

// silences reports whether an event that the domain is paused is one that is not passed on.
func (p *pauses) silences(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet[id] == 0 {
		return false
	}
	if p.quiet[id]--; p.quiet[id] == 0 {
		delete(p.quiet, id)
	}
	return true
}

// forget forgets events that did not come, because the connection was lost.
func (p *pauses) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.quiet)
}
