package guestimage_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/needs"
)

func TestTinyIsBuiltOnceAndKept(t *testing.T) {
	image := guestimage.Tiny(t)
	require.FileExists(t, image)
	built, err := os.Stat(image)
	require.NoError(t, err)

	require.Equal(t, image, guestimage.Tiny(t))
	again, err := os.Stat(image)
	require.NoError(t, err)
	require.Equal(t, built.ModTime(), again.ModTime())
}

func TestParallelBuildsOfAnEmptyCacheMakeOneImage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the guest anew; run without -short")
	}
	cache := t.TempDir()
	t.Setenv("SF_TEST_CACHE", cache)
	require.NoError(t, os.WriteFile(filepath.Join(cache, "tiny-0.qcow2.tmp"), []byte("cut off"), 0o600))
	agent := filepath.Join(t.TempDir(), "agent")
	require.NoError(t, os.WriteFile(agent, []byte("#!/bin/sh\n"), 0o600))

	images := make(chan string, 2)
	t.Run("group", func(t *testing.T) {
		for range cap(images) {
			t.Run("build", func(t *testing.T) {
				t.Parallel()
				images <- guestimage.TinyWithAgent(t, agent)
			})
		}
	})
	if len(images) == 0 {
		t.Skip("the builds were skipped")
	}
	require.Equal(t, <-images, <-images)
	names, err := filepath.Glob(filepath.Join(cache, "*"))
	require.NoError(t, err)
	require.Len(t, names, 2, "the image and the lock, no leftovers: %v", names)
}

func TestTinyBoots(t *testing.T) {
	needs.Tools(t, needs.Qemu, "qemu-system-x86_64")
	c := exec.CommandContext(t.Context(), "qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-m", "128",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-snapshot",
		"-drive", "file="+guestimage.Tiny(t)+",if=virtio,format=qcow2")
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	slow := time.AfterFunc(3*time.Minute, func() { _ = c.Process.Kill() })
	defer slow.Stop()

	var seen []string
	for s := bufio.NewScanner(out); s.Scan(); {
		seen = append(seen, s.Text())
		if strings.Contains(s.Text(), "TINY-READY") {
			break
		}
	}
	require.NoError(t, c.Process.Kill())
	_, _ = io.Copy(io.Discard, out)
	_ = c.Wait()
	text := strings.Join(seen, "\n")
	require.Contains(t, text, "TINY-BOOTCOUNT 1")
	require.Contains(t, text, "TINY-READY tiny")
}
