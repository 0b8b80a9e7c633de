//go:build prove

package cloudtest_test

import (
	"os/exec"
	"slices"
	"testing"
	"time"
)

// TestProveDownloads times downloads of a blob beside bare ones of the same file, all over loopback or between files, all
// with a checksum of every byte, and all seen safe on disk.
func TestProveDownloads(t *testing.T) {
	const size, rounds = 1 << 30, 5
	s := newShop(t, size)
	took := map[string][]time.Duration{}
	ways := map[string]func(testing.TB){"cloud": s.fromCloud, "bare": s.fromBare, "rsync": s.byRsync}
	if _, err := exec.LookPath("rsync"); err != nil {
		t.Log("proof: downloads: rsync is not installed (tools/setup installs it)")
		delete(ways, "rsync")
	}
	for range rounds {
		for name, get := range ways {
			start := time.Now()
			get(t)
			took[name] = append(took[name], time.Since(start))
			s.again(t)
		}
	}
	middle := func(name string) time.Duration {
		slices.Sort(took[name])
		return took[name][rounds/2]
	}
	rate := func(name string) float64 { return size / middle(name).Seconds() / 1e6 }
	speed := float64(middle("bare")) / float64(middle("cloud"))
	t.Logf("proof: download of a blob of 1 GiB by sf-client, with SHA-512, to a synced file: median of %d %s, %.0f MB/s; http.FileServer and a plain client with SHA-512: %s, %.0f MB/s; %.2f of its speed (aim 0.9)",
		rounds, short(middle("cloud")), rate("cloud"), short(middle("bare")), rate("bare"), speed)
	if len(took["rsync"]) > 0 {
		t.Logf("proof: rsync --whole-file --fsync of the same file: median of %d %s, %.0f MB/s; a download is %.2f times as fast",
			rounds, short(middle("rsync")), rate("rsync"), float64(middle("rsync"))/float64(middle("cloud")))
	}
	if speed < 0.9 {
		t.Errorf("a download has %.2f of the speed of a bare web server", speed)
	}
}
