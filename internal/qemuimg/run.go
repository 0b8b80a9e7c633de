//go:build linux

package qemuimg

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

const opRun = "qemuimg.run"

// lookEvery is how often the room on the disk is looked at while qemu-img writes.
const lookEvery = time.Second

// call is one run of qemu-img.
type call struct {
	path string       // of the image it is about
	size int64        // virtual size in bytes, on which its limits depend
	room func() error // nil: nobody minds
}

// run runs qemu-img as a step and says what became of it.
func (c call) run(ctx context.Context, args ...string) error {
	return step.Do(ctx, "exec qemu-img", c.path, func() error {
		if c.room != nil {
			if err := c.room(); err != nil {
				return noRoom(c.path, err)
			}
		}
		watched, cancel := context.WithCancelCause(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.watch(watched, cancel)
		}()
		said, err := execute(watched, append(append(wrappers(c.size), "qemu-img"), args...))
		cause := context.Cause(watched)
		cancel(nil)
		<-ended
		switch {
		case err == nil && c.room == nil:
			return nil
		case err == nil:
			if err := c.room(); err != nil { // what was written since the last look was too much
				return noRoom(c.path, err)
			}
			return nil
		case ctx.Err() != nil:
			return fault.Because(opRun, fault.Unavailable, c.path, ctx.Err(), "qemu-img was ended before it was done")
		case cause != nil:
			return noRoom(c.path, cause)
		}
		return c.explain(err, said)
	})
}

// watch calls cancel when there is no more room.
func (c call) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	if c.room == nil {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.room(); err != nil {
				cancel(err)
				return
			}
		}
	}
}

// execute runs argv and returns the beginning of what it said. The process is started by a thread that stays for as long as
// it runs: the kernel kills it when that thread ends, be it with this process or for want of work.
func execute(ctx context.Context, argv []string) (string, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(os.Environ(), "LC_ALL=C") // messages are recognised below
	c.SysProcAttr = isolated()
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- c.Run()
	}()
	err := <-done
	return brief(said.String()), err
}

// explain is the error for a qemu-img that failed with err after saying text.
func (c call) explain(err error, text string) error {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return Check()
	case killedBy(err, syscall.SIGXCPU), killedBy(err, syscall.SIGXFSZ), strings.Contains(text, "File too large"):
		return fault.Because(opRun, fault.Invalid, c.path, err, "the image needs more time or room than any honest image would")
	case strings.Contains(text, "No space left on device"), strings.Contains(text, "Disk quota exceeded"):
		return fault.New(opRun, fault.Exhausted, c.path, "the disk of %s is full: %d MiB free; make room there or use another node",
			filepath.Dir(c.path), freeMiB(filepath.Dir(c.path)))
	case strings.Contains(text, "\" lock"):
		return fault.New(opRun, fault.Unavailable, c.path, "the image is in use: another process writes to it, or reads what shall be written")
	case strings.Contains(text, "Input/output error"), text == "":
		return fault.Because(opRun, fault.Internal, c.path, err, "qemu-img failed: %s", text)
	}
	return fault.New(opRun, fault.Invalid, c.path, "qemu-img refuses this: %s", text)
}

// noRoom is the error of a call that was ended by its look at the disk.
func noRoom(path string, err error) error {
	if fault.KindOf(err) == fault.Exhausted {
		return fault.Wrap(opRun, path, err)
	}
	return fault.Because(opRun, fault.Exhausted, path, err, "the disk has no room for the image")
}

// isUnknownCompression reports whether err is that of a qemu-img which was built without zstd, or before there was a choice.
func isUnknownCompression(err error) bool {
	text := fault.Text(err)
	return errors.Is(err, fault.Invalid) && (strings.Contains(text, "'compression-type'") || strings.Contains(text, "'compression_type'"))
}

func killedBy(err error, s syscall.Signal) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	ws, ok := e.Sys().(syscall.WaitStatus)
	return ok && (ws.Signaled() && ws.Signal() == s || ws.Exited() && ws.ExitStatus() == 128+int(s))
}

// brief returns the beginning and the end of what qemu-img said: it quotes long descriptions of images before it says what
// is wrong with them.
func brief(s string) string {
	const most = 400
	if s = strings.TrimSpace(s); len(s) > most {
		s = s[:most/4] + " … " + s[len(s)-most*3/4:]
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
