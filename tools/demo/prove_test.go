//go:build prove

package demo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestProveDemo is what a new user does: a fresh clone, the two commands, twice, on the machine itself.
func TestProveDemo(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "clone")
	out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", "../..", clone).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var up []string
	for run := range 2 {
		start := time.Now()
		said := target(t, clone, "demo")
		up = append(up, time.Since(start).Round(time.Second).String())
		require.Contains(t, said, "TINY-READY demo")
		require.Regexp(t, `TINY-NET eth0 .* via=dhcp`, said)
		require.Contains(t, said, " 0% packet loss")
		said = target(t, clone, "demo-stop")
		if run == 1 {
			same := regexp.MustCompile(`the same in (\d+) places looked at`).FindStringSubmatch(said)
			require.NotNil(t, same, "%s", said)
			t.Logf("proof: make demo and make demo-stop, twice in a fresh clone: guest up, addressed by DHCP and pinged in %s; after the second run the host is the same in %s places",
				strings.Join(up, " and "), same[1])
		}
	}
}

func target(t *testing.T, dir, name string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "make", name)
	c.Dir, c.Env = dir, os.Environ()
	c.WaitDelay = time.Second // daemons may keep the output open
	out, err := c.CombinedOutput()
	require.NoError(t, err, "make %s:\n%s", name, out)
	return string(out)
}
