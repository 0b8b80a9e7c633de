//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"encoding/xml"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// markURI names the element of a running domain's metadata that says what is being done to it. It ends with the guest.
const markURI = "https://shakenfist.com/xmlns/libvirt/hold/1"

// heldMark is that element: what whoever comes after a death has to know.
type heldMark struct {
	XMLName  xml.Name `xml:"hold"`
	Freezing int64    `xml:"freezing,attr,omitempty"`  // since when the file systems may be frozen, in Unix seconds
	Paused   bool     `xml:"paused,attr,omitempty"`    // the guest may be paused
	FrozenBy string   `xml:"frozen-by,attr,omitempty"` // the agent that froze the guest when its disks began to be held
}

const (
	// agentAnswers is how many seconds an agent in a guest may take to answer.
	agentAnswers = 10
	// agentRecovers is how long it is asked again to thaw what it may have frozen.
	agentRecovers = 10 * time.Minute
)

// changeMark changes the mark of a running domain.
func changeMark(ld *libvirt.Domain, change func(*heldMark)) error {
	was, err := getMark(ld)
	if err != nil {
		return err
	}
	is := was
	if change(&is); is == was {
		return nil
	}
	text := "" // removes it
	if is.Freezing != 0 || is.Paused || is.FrozenBy != "" {
		b, err := xml.Marshal(is)
		if err != nil {
			return err
		}
		text = string(b)
	}
	return ld.SetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, text, "hold", markURI, libvirt.DOMAIN_AFFECT_LIVE)
}

func getMark(ld *libvirt.Domain) (m heldMark, err error) {
	text, err := ld.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, markURI, libvirt.DOMAIN_AFFECT_LIVE)
	if hasCode(err, libvirt.ERR_NO_DOMAIN_METADATA) {
		return heldMark{}, nil
	}
	if err != nil {
		return heldMark{}, err
	}
	if err := xml.Unmarshal([]byte(text), &m); err != nil {
		return heldMark{}, err
	}
	m.XMLName = xml.Name{}
	return m, nil
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

// thaw has the agent thaw the file systems of a guest that are, or may be, frozen since a Hold that was cut off or whose
// agent did not answer in time. It fails with fault.Unavailable while the agent does not answer.
func thaw(ld *libvirt.Domain, listens bool) error {
	m, err := getMark(ld)
	if err != nil || m.Freezing == 0 {
		return err
	}
	// An agent that is not there any more has frozen nothing that is still frozen, or nobody can help.
	if listens && time.Since(time.Unix(m.Freezing, 0)) < agentRecovers {
		err := ld.AgentSetResponseTimeout(agentAnswers, 0)
		if err == nil {
			err = ld.FSThaw(nil, 0)
		}
		if err != nil {
			return fault.Because("libvirthv.thaw", fault.Unavailable, "", plain(err),
				"%s in the guest does not answer; its file systems may be frozen", hypervisor.GuestAgent)
		}
	}
	return changeMark(ld, func(m *heldMark) { m.Freezing = 0 })
}
