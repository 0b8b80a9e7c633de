//go:build linux

package netlinknet

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// mark returns what everything of the network on a host bears.
func (d *Driver) mark(id netdriver.ID) string {
	return fmt.Sprintf("shakenfist cloud=%s network=%s vxlan=%06x", d.opts.Owner, id.UUID, id.VXLAN)
}

// parseMark returns the network that a mark of this cloud names, and whether it is one.
func (d *Driver) parseMark(mark string) (netdriver.ID, bool) {
	rest, ours := strings.CutPrefix(mark, "shakenfist cloud="+d.opts.Owner+" network=")
	uuid, digits, found := strings.Cut(rest, " vxlan=")
	vxlan, err := strconv.ParseUint(digits, 16, 24)
	id := netdriver.ID{UUID: uuid, VXLAN: int(vxlan)}
	return id, ours && found && err == nil && d.mark(id) == mark && id.Validate() == nil
}

// vxlanOf returns the VXLAN id in the name of a link, and whether it is a name that we give to links of the host.
func vxlanOf(name string) (int, bool) {
	name = strings.TrimSuffix(name, "-o")
	digits := name[strings.LastIndexByte(name, '-')+1:]
	vxlan, err := strconv.ParseUint(digits, 16, 24)
	id := netdriver.ID{VXLAN: int(vxlan)}
	return id.VXLAN, err == nil && (name == id.Bridge() || name == id.Link() || name+"-o" == id.Veth("o"))
}

// owned returns the link of the network by that name; nil if there is none. It fails with fault.Conflict if there is one that is
// not this network's. unmarked says that a cut-off call made it and did not mark it yet.
func (d *Driver) owned(id netdriver.ID, name, kind string) (l netlink.Link, unmarked bool, err error) {
	l, err = d.host.link(name)
	if l == nil || err != nil {
		return nil, false, err
	}
	a := l.Attrs()
	if a.Name == name && l.Type() == kind {
		if a.Alias == d.mark(id) {
			return l, false, nil
		}
		if d.unmarked(l) {
			return l, true, nil
		}
	}
	const op = "netlinknet.owned"
	if other, ours := d.parseMark(a.Alias); ours {
		return nil, false, fault.New(op, fault.Conflict, id.UUID, "link %s belongs to network %s; remove that first", name, other.UUID)
	}
	return nil, false, fault.New(op, fault.Conflict, id.UUID,
		"link %s exists and is not of this cloud (type %s, alias %q); rename or delete it", name, l.Type(), a.Alias)
}
