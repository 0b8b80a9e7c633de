// Package oldclient_test drives a daemon from outside, as the clients of many years do.
package oldclient_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/needs"
)

// TestClientsOfManyYearsNoticeNoDifference runs the script against a simulated cloud.
func TestClientsOfManyYearsNoticeNoDifference(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the daemon; run without -short")
	}
	t.Parallel()
	require.Greater(t, drive(t), 250)
}

// drive runs the script and returns the number of its checks.
func drive(t *testing.T) int {
	t.Helper()
	if err := needs.CheckCommands("curl", "bash", "grep", "sed", "od", "dd", "sha512sum"); err != nil {
		needs.Missing(t, needs.Curl, err)
	}
	url, namespace, key := startDaemon(t)
	images := httptest.NewServer(http.HandlerFunc(serveImage))
	t.Cleanup(images.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "oldclient", url, namespace, key, images.URL)
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), key)
	last := regexp.MustCompile(`oldclient: ([0-9]+) checks passed\n$`).FindSubmatch(out)
	require.NotNil(t, last, "%s", out)
	checks, err := strconv.Atoi(string(last[1]))
	require.NoError(t, err)
	require.Equal(t, checks, bytes.Count(out, []byte("\nok "))+1)
	return checks
}

// startDaemon runs sf-daemon until the test ends, which it must do cleanly, and returns how to log in.
func startDaemon(t *testing.T) (url, namespace, key string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "sf-daemon")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "libvirt_dlopen", "-o", program, "../../cmd/sf-daemon")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	settings, state := filepath.Join(dir, "settings"), filepath.Join(dir, "state")
	require.NoError(t, os.WriteFile(settings, nil, 0o600)) // whatever this machine has is of no interest
	require.NoError(t, os.Mkdir(state, 0o700))
	daemon := exec.CommandContext(context.WithoutCancel(t.Context()), program,
		"--simulate", "--config", settings, "--state", state, "--listen", "127.0.0.1:0")
	daemon.Env = []string{"PATH=" + os.Getenv("PATH")}
	log, err := daemon.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, daemon.Start())
	lines := bufio.NewScanner(log)
	var said strings.Builder
	t.Cleanup(func() {
		require.NoError(t, daemon.Process.Signal(syscall.SIGTERM))
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
		}
		require.NoError(t, daemon.Wait(), "%s", said.String())
		require.Contains(t, said.String(), "msg=stopped")
		require.NotContains(t, said.String(), "level=ERROR")
	})
	for lines.Scan() && !strings.Contains(lines.Text(), "msg=ready") {
		said.WriteString(lines.Text() + "\n")
	}
	var file struct{ APIURL, Namespace, Key string }
	content, err := os.ReadFile(filepath.Join(state, "client.json"))
	require.NoError(t, err, "%s", said.String())
	require.NoError(t, json.Unmarshal(content, &file))
	return file.APIURL, file.Namespace, file.Key
}

// serveImage serves the smallest thing that is taken for a disk: empty but for its own name, with the mark of a boot sector. One that is called
// slow takes its time, which is what instances wait for, and one that is called gone is not there.
func serveImage(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/slow.raw") && r.Method == http.MethodGet {
		select {
		case <-time.After(3 * time.Second):
		case <-r.Context().Done():
			return
		}
	}
	if strings.HasSuffix(r.URL.Path, "/gone.raw") {
		http.NotFound(w, r)
		return
	}
	disk := make([]byte, 64<<10)
	disk[510], disk[511] = 0x55, 0xaa
	copy(disk[1024:], r.URL.Path) // the same content would be the same blob
	http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(disk))
}
