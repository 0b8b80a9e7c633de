package image

import (
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// CheckCopy reports, as a fault.Invalid, why the copy c cannot be made whatever is on disk.
func CheckCopy(c hypervisor.DiskCopy) error {
	const op = "hypervisor.CopyDisk"
	for _, path := range append([]string{c.Src, c.Dst}, c.Backing...) {
		if !filepath.IsAbs(path) {
			return fault.New(op, fault.Invalid, c.Dst, "path %q of a disk, want an absolute one", path)
		}
	}
	switch {
	case c.Base == "":
		return nil
	case c.Base != filepath.Base(c.Base) || c.Base == "." || c.Base == "..":
		return fault.New(op, fault.Invalid, c.Dst, "base %q of a copy, want a plain file name", c.Base)
	case len(c.Backing) == 0:
		return fault.New(op, fault.Invalid, c.Dst, "a disk with nothing beneath it cannot be copied over %s", c.Base)
	}
	return nil
}

// Size returns the virtual size in bytes of one of our own QCOW2 images, also of one that lies over others. It fails with
// fault.NotFound if it is not there.
func Size(path string) (int64, error) {
	f, _, err := open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // only read
	h, err := qcow2.Read(f)
	return h.Size, fault.Wrap("hypervisor.Size", path, err)
}
