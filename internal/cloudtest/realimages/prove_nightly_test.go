//go:build prove && cgo && libvirt_dlopen

package realimages_test

import (
	"context"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// TestProveNightly plays the whole life of images with real guests.
func TestProveNightly(t *testing.T) {
	const keeps = 2
	began := time.Now()
	for thin, kind := range map[bool]string{true: "thin", false: "whole"} {
		t.Run(kind, func(t *testing.T) {
			onStage(t, 20*time.Minute, func(ctx context.Context, s cloudtest.Stage) { s.Nightly(ctx, t, keeps, thin) })
		})
	}
	t.Run("other copies", func(t *testing.T) {
		onStage(t, 20*time.Minute, func(ctx context.Context, s cloudtest.Stage) { s.Copies(ctx, t) })
	})
	if t.Failed() {
		return
	}
	t.Logf("proof: the nightly flow on real guests, with thin copies and with whole ones: cached by URL, booted, changed, copied while it runs, labelled, booted from the label with the change on its console; %d nights, of which the label keeps %d; each dropped blob's file was there until its instance had gone, and the copy on top of it, and then went; the bootable image expired and came again; nothing left on the host",
		keeps+1, keeps)
	t.Logf("proof: copies of all disks of a guest at once, of one, and of one that was off: other guests boot with them; nothing left on the host; in all %s", round(time.Since(began)))
}

// TestProveASmallDisk says how everything ends that needs room where there is none, and that it works when there is.
func TestProveASmallDisk(t *testing.T) {
	fillsUp(t)
	if !t.Failed() {
		t.Log("proof: a small disk: each failed alone, nothing of it was left, and the running guest went on; with room again the same worked, with nothing else done")
	}
}
