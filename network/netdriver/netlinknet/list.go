//go:build linux

package netlinknet

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// List implements netdriver.Driver.
func (d *Driver) List(ctx context.Context) ([]netdriver.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Because("netlinknet.List", fault.Unavailable, "", err, "given up")
	}
	found := map[netdriver.ID]bool{}
	for _, look := range []func(map[netdriver.ID]bool) error{d.listLinks, d.listState, d.listSpaces} {
		if err := look(found); err != nil {
			return nil, fault.Wrap("netlinknet.List", "", err)
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b netdriver.ID) int {
		return cmp.Or(strings.Compare(a.UUID, b.UUID), a.VXLAN-b.VXLAN)
	}), nil
}

// listLinks finds the networks of marked links. A link that somebody gave another name is not found: nor would Remove.
func (d *Driver) listLinks(found map[netdriver.ID]bool) error {
	links, err := retry(d.host.LinkList)
	if err != nil {
		return d.failed("list links", "", err)
	}
	for _, l := range links {
		id, ours := d.parseMark(l.Attrs().Alias)
		vxlan, named := vxlanOf(l.Attrs().Name)
		if ours && named && vxlan == id.VXLAN {
			found[id] = true
		}
	}
	return nil
}

// listState finds the networks of marked folders.
func (d *Driver) listState(found map[netdriver.ID]bool) error {
	entries, err := os.ReadDir(d.dir(""))
	if err != nil {
		return d.failed("read", d.dir(""), err)
	}
	for _, e := range entries {
		if id, ok := d.stateOf(e.Name()); ok {
			found[id] = true
		}
	}
	return nil
}

// listSpaces finds the networks of marked namespaces. Only those without a folder have to be opened.
func (d *Driver) listSpaces(found map[netdriver.ID]bool) error {
	entries, err := os.ReadDir(netnsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return d.failed("read", netnsDir, err)
	}
	for _, e := range entries {
		path := netnsDir + "/" + e.Name()
		is, _ := isSpace(path)
		if _, known := d.stateOf(e.Name()); known || !is || (netdriver.ID{UUID: e.Name(), VXLAN: 1}).Validate() != nil {
			continue
		}
		id, ours, err := d.spaceMark(path)
		if err != nil {
			return err
		}
		if ours && id.UUID == e.Name() {
			found[id] = true
		}
	}
	return nil
}

// spaceMark returns the network that the mark of a namespace names, and whether it has one.
func (d *Driver) spaceMark(path string) (netdriver.ID, bool, error) {
	s, err := openSpace(path)
	if errors.Is(err, fs.ErrNotExist) {
		return netdriver.ID{}, false, nil // it went meanwhile
	}
	if err != nil {
		return netdriver.ID{}, false, err
	}
	defer s.close()
	lo, err := s.link("lo")
	if lo == nil || err != nil {
		return netdriver.ID{}, false, err
	}
	id, ours := d.parseMark(lo.Attrs().Alias)
	return id, ours, nil
}
