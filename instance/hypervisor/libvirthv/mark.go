//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"encoding/xml"

	"libvirt.org/go/libvirt"
)

// markURI names the element of a running domain's metadata that says what is being done to it. It ends with the guest.
const markURI = "https://shakenfist.com/xmlns/libvirt/hold/1"

// heldMark is that element.
type heldMark struct {
	XMLName  xml.Name `xml:"hold"`
	Phase    string   `xml:"phase,attr,omitempty"`
	FrozenBy string   `xml:"frozen-by,attr,omitempty"` // the agent that froze the guest when its disks began to be held
}

// What may be left behind when somebody dies.
const (
	phaseFreeze = "freeze" // the file systems may be frozen
	phasePause  = "pause"  // the guest may be paused
)

func setMark(ld *libvirt.Domain, m heldMark) error {
	text := ""
	if m.Phase != "" || m.FrozenBy != "" {
		b, err := xml.Marshal(m)
		if err != nil {
			return err
		}
		text = string(b)
	}
	err := ld.SetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, text, "hold", markURI, libvirt.DOMAIN_AFFECT_LIVE)
	if text == "" && hasCode(err, libvirt.ERR_NO_DOMAIN_METADATA) {
		return nil
	}
	return err
}

func getMark(ld *libvirt.Domain) (m heldMark, err error) {
	text, err := ld.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, markURI, libvirt.DOMAIN_AFFECT_LIVE)
	if hasCode(err, libvirt.ERR_NO_DOMAIN_METADATA) {
		return heldMark{}, nil
	}
	if err != nil {
		return heldMark{}, err
	}
	return m, xml.Unmarshal([]byte(text), &m)
}

// frozenBy returns the agent that froze the running guest id when its disks began to be held.
func (d *Driver) frozenBy(ctx context.Context, id string) (string, error) {
	found := make(chan string, 1)
	err := d.domain(ctx, "libvirthv.Hold", id, func(ld *libvirt.Domain) error {
		m, err := getMark(ld)
		found <- m.FrozenBy
		return err
	})
	if err != nil {
		return "", err
	}
	return <-found, nil
}

// thaw ends what a Hold that was cut off, or failed, may have left: file systems that are frozen.
func thaw(ld *libvirt.Domain) error {
	m, err := getMark(ld)
	if err != nil || m.Phase != phaseFreeze {
		return err
	}
	if err := ld.AgentSetResponseTimeout(agentAnswers, 0); err != nil {
		return err
	}
	// An agent that is not there any more has frozen nothing that is still frozen: its guest was started again.
	if err := ld.FSThaw(nil, 0); err != nil && !hasCode(err, libvirt.ERR_AGENT_UNRESPONSIVE) && !hasCode(err, libvirt.ERR_ARGUMENT_UNSUPPORTED) {
		return err
	}
	return setMark(ld, heldMark{})
}
