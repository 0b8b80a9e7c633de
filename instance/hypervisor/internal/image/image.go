// Package image looks at image files before a driver uses them, so that all drivers refuse the same ones.
package image

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/foreign"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// isoMagicAt is where the first volume descriptor of an ISO 9660 image has its "CD001" (ECMA-119, 8.1).
const isoMagicAt = 16*2048 + 1

// Info is what an image is.
type Info struct {
	Size   int64        // virtual size in bytes
	Header qcow2.Header // of a QCOW2; else zero
}

// Inspect looks at an image that nobody vouches for, in the format it is said to have and in no other. It fails with
// fault.Invalid if the image is not that, or names other files.
func Inspect(src hypervisor.Image) (Info, error) {
	const op = "hypervisor.Inspect"
	if !filepath.IsAbs(src.Path) {
		return Info{}, fault.New(op, fault.Invalid, src.Path, "the image's path must be absolute")
	}
	f, size, err := open(src.Path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	i, err := inspect(f, size, src)
	return i, fault.Wrap(op, src.Path, err)
}

// inspect judges the file f of size bytes as src says.
func inspect(f *os.File, size int64, src hypervisor.Image) (Info, error) {
	const op = "hypervisor.Inspect"
	if src.Base != "" {
		return inspectThin(f, size, src)
	}
	switch src.Format {
	case hypervisor.QCOW2:
		h, err := qcow2.Whole(f, size, qcow2.MaxSize)
		return Info{Size: h.Size, Header: h}, err
	case hypervisor.VMDK:
		return ofForeign(foreign.VMDK(f, size, qcow2.MaxSize))
	case hypervisor.VDI:
		return ofForeign(foreign.VDI(f, size, qcow2.MaxSize))
	case hypervisor.VHD:
		return ofForeign(foreign.VHD(f, size, qcow2.MaxSize))
	case hypervisor.ISO:
		b := make([]byte, 5)
		if _, err := f.ReadAt(b, isoMagicAt); err != nil || string(b) != "CD001" {
			return Info{}, fault.New(op, fault.Invalid, src.Path, "not an ISO 9660 image: it has no volume descriptor")
		}
		return Info{Size: size}, nil
	case hypervisor.Raw:
		if size == 0 || size > qcow2.MaxSize {
			return Info{}, fault.New(op, fault.Invalid, src.Path, "raw image of %d bytes, want 1 to %d", size, qcow2.MaxSize)
		}
		return Info{Size: (size + 511) / 512 * 512}, nil
	}
	return Info{}, fault.New(op, fault.Invalid, src.Path, "image format %q, want raw, qcow2, vmdk, vdi, vhd or iso", src.Format)
}

func ofForeign(i foreign.Image, err error) (Info, error) { return Info{Size: i.Size}, err }

// inspectThin judges an image over src.Base, which its header must name by its file name and nothing else. The base must be
// there, and be one that Convert made.
func inspectThin(f *os.File, size int64, src hypervisor.Image) (Info, error) {
	const op = "hypervisor.Inspect"
	if !filepath.IsAbs(src.Base) || src.Format != hypervisor.QCOW2 {
		return Info{}, fault.New(op, fault.Invalid, src.Path, "only a QCOW2 image lies over another, whose path must be absolute")
	}
	if _, err := baseHeader(src.Base); err != nil {
		return Info{}, err
	}
	h, err := qcow2.Over(f, size, qcow2.MaxSize, filepath.Base(src.Base))
	return Info{Size: h.Size, Header: h}, err
}

// baseHeader reads the header of an image that Convert made, which may lie over another.
func baseHeader(path string) (qcow2.Header, error) {
	f, _, err := open(path)
	if err != nil {
		return qcow2.Header{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	h, err := qcow2.Read(f)
	return h, fault.Wrap("hypervisor.Inspect", path, err)
}

// DiskSize returns the virtual size in bytes that the disk d shall have. It fails with fault.Invalid if d cannot be
// made, and with fault.NotFound if its base is not there.
func DiskSize(d hypervisor.Disk) (int64, error) {
	const op = "hypervisor.MakeDisk"
	size := d.SizeBytes
	switch {
	case !filepath.IsAbs(d.Path):
		return 0, fault.New(op, fault.Invalid, d.Path, "the disk's path must be absolute")
	case size < 0 || size%512 != 0 || size > qcow2.MaxSize:
		return 0, fault.New(op, fault.Invalid, d.Path, "disk of %d bytes, want a multiple of 512 up to %d", size, qcow2.MaxSize)
	case size == 0 && d.Base == "":
		return 0, fault.New(op, fault.Invalid, d.Path, "a disk without a base image needs a size")
	case d.Base == "":
		return size, nil
	}
	base, err := baseHeader(d.Base)
	if err != nil {
		return 0, fault.Wrap(op, d.Path, err)
	}
	if size == 0 {
		return base.Size, nil
	}
	if size < base.Size {
		return 0, fault.New(op, fault.Invalid, d.Path,
			"a disk of %d bytes (%.2f GiB) is too small for its image, which has %d bytes (%.2f GiB); ask for a larger disk",
			size, gib(size), base.Size, gib(base.Size))
	}
	return size, nil
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }

// LinkOrCopy makes dst another name of the file src, or a copy where the file systems differ.
func LinkOrCopy(src, dst string) error {
	const op = "hypervisor.LinkOrCopy"
	if os.Link(src, dst) == nil {
		return nil
	}
	in, err := os.Open(src)
	if err != nil {
		return fault.Because(op, fault.Internal, src, err, "the image cannot be read")
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fault.Because(op, fault.Internal, dst, err, "the image's copy cannot be made")
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return Full(op, dst, fault.Because(op, fault.Internal, dst, err, "the image cannot be copied"))
	}
	return nil
}

// open opens a regular file for reading. A link is refused: what it points to may change between two looks.
func open(path string) (*os.File, int64, error) {
	const op = "hypervisor.Inspect"
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fault.New(op, fault.NotFound, path, "the image %s is not there", path)
	}
	if err == nil && !fi.Mode().IsRegular() {
		return nil, 0, fault.New(op, fault.Invalid, path, "the image %s is not a plain file", path)
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			return f, fi.Size(), nil
		}
	}
	return nil, 0, fault.Because(op, fault.Internal, path, err, "the image cannot be opened")
}
