//go:build linux

// Package qemuimg makes disk images with qemu-img.
//
// Every call names the format of every file it touches, so qemu-img never guesses one: a guess lets the content of an
// image decide which files of the host are read. Converting what a stranger made runs with limits and without network.
package qemuimg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// ClusterSize is that of every image made here, in bytes. Large clusters keep the tables of an overlay small enough to
// stay in memory.
const ClusterSize = 2 << 20

// What converting one image may use at most. Address space covers qemu-img's caches and its libraries several times.
const (
	maxCPU          = time.Hour
	maxAddressSpace = 4 << 30 // bytes
)

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
	args := []string{"create", "-q", "-f", "qcow2", "-o", "cluster_size=" + strconv.Itoa(ClusterSize)}
	if base != "" {
		args = append(args, "-u", "-b", base, "-F", "qcow2")
	}
	return run(ctx, path, command(ctx, "qemu-img", append(args, path, strconv.FormatInt(size, 10))...))
}

// Convert makes the QCOW2 image dst out of src, which is of the given format ("raw" or "qcow2") and virtual size in
// bytes. The caller has made sure that src names no other file. It fails with fault.Invalid if src is broken.
func Convert(ctx context.Context, src, format string, size int64, dst string) error {
	argv := append(wrappers(size), "qemu-img", "convert", "-f", format, "-O", "qcow2",
		"-o", "cluster_size="+strconv.Itoa(ClusterSize), src, dst)
	c := command(ctx, argv[0], argv[1:]...)
	isolate(c)
	return run(ctx, dst, c)
}

// wrappers returns the programs that limit what runs after them, as far as they are installed: limits, then a low
// priority for processors and disks. dst has at most the size of the image, its tables, and some room.
func wrappers(size int64) []string {
	file := size + size/256 + 64<<20
	var argv []string
	for _, w := range [][]string{
		{
			"prlimit", "--core=0", fmt.Sprintf("--cpu=%d", int(maxCPU.Seconds())),
			fmt.Sprintf("--as=%d", int64(maxAddressSpace)), fmt.Sprintf("--fsize=%d", file),
		},
		{"nice", "-n", "10"},
		{"ionice", "-t", "-c", "2", "-n", "7"},
	} {
		if _, err := exec.LookPath(w[0]); err == nil {
			argv = append(argv, w...)
		}
	}
	return argv
}

func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C") // messages are recognised below
	c.WaitDelay = 5 * time.Second
	return c
}

// run runs c as a step and says what became of it.
func run(ctx context.Context, path string, c *exec.Cmd) error {
	const op = "qemuimg.run"
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	return step.Do(ctx, "exec qemu-img", path, func() error {
		err := c.Run()
		if err == nil {
			return nil
		}
		text := brief(said.String())
		switch {
		case ctx.Err() != nil:
			return fault.Because(op, fault.Unavailable, path, ctx.Err(), "qemu-img was ended before it was done")
		case errors.Is(err, exec.ErrNotFound):
			return Check()
		case killedBy(err, syscall.SIGXCPU), killedBy(err, syscall.SIGXFSZ):
			return fault.Because(op, fault.Invalid, path, err, "the image needs more time or room than any honest image would")
		case strings.Contains(text, "No space left on device"), strings.Contains(text, "Disk quota exceeded"):
			return fault.New(op, fault.Exhausted, path, "the disk of %s is full: %d MiB free; make room there or use another node",
				filepath.Dir(path), freeMiB(filepath.Dir(path)))
		case strings.Contains(text, "Input/output error"), text == "":
			return fault.Because(op, fault.Internal, path, err, "qemu-img failed: %s", text)
		}
		return fault.New(op, fault.Invalid, path, "qemu-img refuses this: %s", text)
	})
}

func killedBy(err error, s syscall.Signal) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	ws, ok := e.Sys().(syscall.WaitStatus)
	return ok && (ws.Signaled() && ws.Signal() == s || ws.Exited() && ws.ExitStatus() == 128+int(s))
}

// brief returns the first lines of what qemu-img said.
func brief(s string) string {
	const most = 400
	if s = strings.TrimSpace(s); len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ReplaceAll(s, "\n", "; ")
}

func freeMiB(dir string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Bavail) * s.Bsize >> 20 //nolint:gosec // no file system has 2^63 blocks
}
