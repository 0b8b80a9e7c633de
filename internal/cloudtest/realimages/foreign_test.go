//go:build prove && cgo && libvirt_dlopen

package realimages_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/guestimage"
)

// TestProveForeignImagesBoot boots a guest from its disk in each format that is taken.
func TestProveForeignImagesBoot(t *testing.T) {
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 20*time.Minute)
	images := w.ImageServer() // one of its own would be a change of the host
	images.Config.Handler = http.FileServer(http.Dir(w.Dir))
	formats := []struct{ name, format, options string }{
		{"guest.raw", "raw", "preallocation=off"},
		{"guest.vmdk", "vmdk", "subformat=monolithicSparse"},
		{"stream.vmdk", "vmdk", "subformat=streamOptimized"},
		{"guest.vdi", "vdi", "static=off"},
		{"static.vdi", "vdi", "static=on"},
		{"guest.vhd", "vpc", "subformat=dynamic"},
		{"fixed.vhd", "vpc", "subformat=fixed"},
	}
	for _, f := range formats {
		out, err := exec.CommandContext(ctx, "qemu-img", "convert", "-f", "qcow2", "-O", f.format, "-o", f.options,
			guestimage.Tiny(t), filepath.Join(w.Dir, f.name)).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	p := w.Start(ctx, t, cloudtest.Point{})
	defer func() {
		if t.Failed() {
			t.Log(p.Log())
		}
	}()
	for _, f := range formats {
		i, err := cloudtest.Up(ctx, p.Client, images.URL+"/"+f.name)
		require.NoError(t, err, f.name)
		_, err = cloudtest.Console(ctx, p.Client, i.UUID, "TINY-READY web1")
		require.NoError(t, err, f.name)
		cloudtest.GoesCleanly(ctx, t, p.Client, w)
	}
	t.Logf("proof: a guest boots from its disk as raw, VMDK (sparse and stream), VDI (dynamic and static) and VHD (dynamic and fixed): %d of %d", len(formats), len(formats))
	p.Stop()
}
