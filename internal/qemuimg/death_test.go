//go:build linux

package qemuimg_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/internal/qemuimg"
)

// child is the environment variable that makes this test's program the one that is killed.
const child = "QEMUIMG_CHILD"

// slow returns a source that qemu-img reads for as long as nobody ends it: a pipe into which nobody writes.
func slow(t *testing.T, dir string) qemuimg.Source {
	t.Helper()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return qemuimg.Source{Path: pipe, Format: "raw"}
}

// running returns the command lines of all processes in which dir occurs, but for this one.
func running(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && bytes.HasPrefix(b, []byte("qemu-img\x00")) && bytes.Contains(b, []byte(dir)) {
			found = append(found, string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// TestQemuImgDiesWithItsParent kills a process that runs qemu-img, as if the daemon crashed.
func TestQemuImgDiesWithItsParent(t *testing.T) {
	if dir := os.Getenv(child); dir != "" {
		os.Stdout.WriteString("ready\n") //nolint:errcheck // the parent waits for it
		t.Fatal(qemuimg.Copy(context.Background(), qemuimg.Source{Path: filepath.Join(dir, "pipe"), Format: "raw"},
			filepath.Join(dir, "dst"), qemuimg.To{Size: 1 << 30}))
	}
	dir := folder(t)
	slow(t, dir)
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	c.Env = append(os.Environ(), child+"="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "ready") {
		t.Fatalf("the process to be killed says %q, %v", line, err)
	}
	until(t, "qemu-img runs", func() bool { return len(running(t, dir)) == 1 })
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = c.Wait() // it was killed
	until(t, "qemu-img is gone", func() bool { return len(running(t, dir)) == 0 })
}

// until waits for what another process does, which nothing tells.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s until %s", what)
		}
	}
}
