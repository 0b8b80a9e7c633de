//go:build linux

package qemuimg

import (
	"context"
	"os"
	"strconv"

	"github.com/shakenfist/shakenfist/fault"
)

// To says what a copy becomes.
type To struct {
	Compress bool         // with zstd where qemu-img knows it, else zlib
	Base     string       // name of the QCOW2 image beneath, for the header: the copy has only what Path itself has; "" for one that is whole
	Size     int64        // virtual size of the source in bytes
	Room     func() error // looked at before, each second and at the end: an error ends the copy; nil if it may fill the disk
}

// Copy makes the QCOW2 image dst out of src: all that can be read there, or, with to.Base, what src itself has and nothing
// from beneath; then src.Backing must name at least the nearest one. A src from somebody who is not trusted has been looked
// at by a header guard. What a failed or cut-off copy leaves at dst is for the caller to remove.
//
// It fails with fault.Invalid if src is broken, with fault.NotFound if a file of the chain is not there, with
// fault.Exhausted if the disk is full or to.Room refuses, and with fault.Unavailable if ctx ended.
func Copy(ctx context.Context, src Source, dst string, to To) error {
	if to.Base != "" {
		return copyThin(ctx, src, dst, to)
	}
	if err := src.check(); err != nil {
		return err
	}
	name, err := src.name()
	if err != nil {
		return err
	}
	return convert(ctx, to, dst, name)
}

// copyThin copies the clusters of src itself. qemu-img tells them from those beneath by having the nearest base under both
// src and dst; as clusters are copied whole it reads nothing there. In the end dst's header names what it shall.
func copyThin(ctx context.Context, src Source, dst string, to To) error {
	const op = "qemuimg.Copy"
	if len(src.Backing) == 0 {
		return fault.New(op, fault.Invalid, src.Path, "a thin copy needs to know what lies beneath the disk")
	}
	src.Backing = src.Backing[:1]
	h, err := header(src.Path)
	if err != nil {
		return err
	}
	if h.ClusterSize != ClusterSize {
		return fault.New(op, fault.Invalid, src.Path, "a thin copy of clusters of %d bytes would have to read what lies beneath; want %d",
			h.ClusterSize, ClusterSize)
	}
	name, err := src.name()
	if err != nil {
		return err
	}
	base, err := Source{Path: src.Backing[0], Format: "qcow2"}.name()
	if err != nil {
		return err
	}
	if err := convert(ctx, to, dst, "-B", base, "-F", "qcow2", name); err != nil {
		return err
	}
	return call{path: dst, size: to.Size}.run(ctx, "rebase", "-q", "-u", "-f", "qcow2", "-b", to.Base, "-F", "qcow2", dst)
}

// convert runs qemu-img convert, of which args are the last before dst. Compressed clusters are written in the order in which
// they are ready, so that more than one processor compresses.
func convert(ctx context.Context, to To, dst string, args ...string) error {
	c := call{path: dst, size: to.Size, room: to.Room}
	options := "cluster_size=" + strconv.Itoa(ClusterSize)
	plain := append(append([]string{"convert", "-O", "qcow2", "-o", options}, args...), dst)
	if !to.Compress {
		return c.run(ctx, plain...)
	}
	compress := func(method string) error {
		return c.run(ctx, append(append([]string{"convert", "-c", "-W", "-O", "qcow2", "-o", options + method}, args...), dst)...)
	}
	err := compress(",compression_type=zstd")
	if isUnknownCompression(err) {
		return compress("")
	}
	return err
}

// Commit writes what the QCOW2 image overlay has into base, the image beneath it, and sees it safe on disk. The images
// beneath base are given, nearest first, since base's header is not followed. The overlay keeps what it had; doing it twice
// is the same as once. Nobody else may have them open. It fails as Copy does.
func Commit(ctx context.Context, overlay, base string, beneath ...string) error {
	const op = "qemuimg.Commit"
	src := Source{Path: overlay, Format: "qcow2", Backing: append([]string{base}, beneath...)}
	if err := src.check(); err != nil {
		return err
	}
	h, err := header(overlay)
	if err != nil {
		return err
	}
	name, err := src.name()
	if err != nil {
		return err
	}
	f, err := os.Open(base)
	if err != nil {
		return fault.Because(op, fault.Internal, base, err, "the image cannot be opened")
	}
	defer f.Close() //nolint:errcheck // only synced
	info, err := f.Stat()
	if err != nil {
		return fault.Because(op, fault.Internal, base, err, "the image cannot be looked at")
	}
	// Both are ours. A base whose guest was killed may have clusters that nobody refers to any more, beyond its virtual size.
	if err := (call{path: base, size: h.Size + info.Size()}).run(ctx, "commit", "-q", "-d", name); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fault.Because(op, fault.Internal, base, err, "the image cannot be written to disk")
	}
	return nil
}
