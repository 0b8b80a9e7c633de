// Package real_test runs the cloud on a real host: libvirt, qemu, links, dnsmasq and etcd, all inside namespaces of its own.
package real_test

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

func TestMain(m *testing.M) { pretendhost.Main(m, pretendhost.Options{Name: "real1", Libvirt: true}) }

func TestTinyGuestBootsGetsItsAddressAndGoes(t *testing.T) {
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 2*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	defer func() {
		if t.Failed() {
			t.Log(p.Log())
		}
	}()
	i, err := cloudtest.Up(ctx, p.Client, w.Image())
	require.NoError(t, err)
	nic := i.Interfaces[0]
	console, err := cloudtest.Console(ctx, p.Client, i.UUID, "TINY-READY web1", "via=dhcp", "TINY-CONFIGDRIVE")
	require.NoError(t, err)
	require.Contains(t, console, "uuid="+i.UUID)
	require.Regexp(t, regexp.QuoteMeta("mac="+nic.MAC)+` ip=`+regexp.QuoteMeta(*nic.IPv4)+`/24 gw=10\.77\.0\.1`, console)

	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", nic.NetworkUUID, "ping", "-c1", "-W5", *nic.IPv4).CombinedOutput()
	require.NoError(t, err, "%s", out)

	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
	require.NoError(t, os.RemoveAll(w.State()))
}
