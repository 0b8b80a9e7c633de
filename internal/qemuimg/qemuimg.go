//go:build linux

// Package qemuimg makes disk images with qemu-img.
//
// Every call names the format of every file it touches, and every file of a chain by its path, so qemu-img neither guesses
// a format nor follows what a header names: either lets the content of an image decide which files of the host are read.
// Each call runs with limits, at a low priority, without network, and ends with its context and with this process.
package qemuimg

import (
	"context"
	"os/exec"
	"strconv"

	"github.com/shakenfist/shakenfist/fault"
)

// ClusterSize is that of every image made here, in bytes. Large clusters keep the tables of an overlay small enough to
// stay in memory.
const ClusterSize = 2 << 20

// Check reports, as a fault.Invalid, that qemu-img is not installed.
func Check() error {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		return fault.Because("qemuimg.Check", fault.Invalid, "", err,
			"qemu-img is not installed; on Debian: apt-get install qemu-utils")
	}
	return nil
}

// Create makes the QCOW2 image path of that virtual size in bytes, over the QCOW2 image base, or blank if base is "".
// Base is not opened; the caller knows that it is there and no larger.
func Create(ctx context.Context, path string, size int64, base string) error {
	return create(ctx, path, size, base, ClusterSize)
}

// CreateOverlay is Create for an image that soon is merged into its base: its clusters are small, because the first write to
// one has to copy the rest of it.
func CreateOverlay(ctx context.Context, path string, size int64, base string) error {
	return create(ctx, path, size, base, 64<<10)
}

func create(ctx context.Context, path string, size int64, base string, cluster int) error {
	args := []string{"create", "-q", "-f", "qcow2", "-o", "cluster_size=" + strconv.Itoa(cluster)}
	if base != "" {
		args = append(args, "-u", "-b", base, "-F", "qcow2")
	}
	return call{path: path, size: size}.run(ctx, append(args, path, strconv.FormatInt(size, 10))...)
}
