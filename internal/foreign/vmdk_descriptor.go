package foreign

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
)

const oneFile = "export it to one file, with vmware-vdiskmanager -r -t 0 or as an OVA, and use that"

// descriptor is what the text within an image says.
type descriptor struct {
	extents int
	sectors uint64 // of the last extent
	plain   bool   // the last extent is a sparse one, by the name of a file of the same folder
	values  map[string]string
}

// checkDescriptor refuses a descriptor that knows of any file but the image itself. What it calls that does not matter: the
// header has a size, so no reader opens it by name.
func checkDescriptor(r io.ReaderAt, size int64, h vmdkFields) error {
	b, err := vmdk.readAt(r, size, "descriptor", vmdkDesc*sector, h.descLength*sector)
	if err != nil {
		return err
	}
	scan, err := vmdk.readAt(r, size, "descriptor", vmdkDesc*sector, min(vmdkScan, uint64(size-vmdkDesc*sector))) //nolint:gosec // it reaches so far
	if err != nil {
		return err
	}
	if namesParent(b) || namesParent(scan) {
		return vmdk.refused("names a parent in its descriptor: it has only what differs from that; %s", oneFile)
	}
	text, _, _ := bytes.Cut(b, []byte{0})
	return parseDescriptor(string(text)).check(h)
}

// parseDescriptor reads lines of comments, key=value, and extents such as RW 128 SPARSE "a.vmdk".
func parseDescriptor(text string) descriptor {
	extent := regexp.MustCompile(`^(?:RW|RDONLY|NOACCESS)\s`)
	plain := regexp.MustCompile(`^(?:RW|RDONLY)\s+([0-9]{1,18})\s+SPARSE\s+"([^"/\\]+)"$`)
	d := descriptor{values: map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case extent.MatchString(line):
			d.extents++
			m := plain.FindStringSubmatch(line)
			if d.plain = m != nil; d.plain {
				d.sectors, _ = strconv.ParseUint(m[1], 10, 64) // 18 digits fit
			}
		case ok:
			key = strings.ToLower(strings.TrimSpace(key))
			if _, twice := d.values[key]; twice {
				d.values[key] = "" // which of them counts differs from reader to reader
			} else {
				d.values[key] = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
	}
	return d
}

func (d descriptor) check(h vmdkFields) error {
	kind := d.values["createtype"]
	wanted := "monolithicSparse"
	if h.compressed() {
		wanted = "streamOptimized"
	}
	cid, err := strconv.ParseUint(d.values["parentcid"], 16, 32)
	_, known := d.values["cid"]
	switch {
	case !known || err != nil:
		return vmdk.refused("has a descriptor without its ID or its parent's (CID, parentCID): it is damaged")
	case cid != 0xffffffff:
		return vmdk.refused("has only what differs from a parent (parentCID %08x): %s", cid, oneFile)
	case kind != wanted:
		return vmdk.refused("says in its descriptor that it is of another kind than %s, which it is by its header: %s", wanted, oneFile)
	case d.extents != 1:
		return vmdk.refused("lists %d extents in its descriptor, want one, which is the file itself: %s", d.extents, oneFile)
	case !d.plain:
		return vmdk.refused("lists an extent in its descriptor that is no sparse one in the file itself, but may be a file or a device of a host: %s", oneFile)
	case d.sectors == 0 || d.sectors > h.capacity:
		return vmdk.refused("has an extent of %d sectors in its descriptor, and %d in its header: it is damaged", d.sectors, h.capacity)
	}
	return nil
}
