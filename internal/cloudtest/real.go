package cloudtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/hostdiff"
	"github.com/shakenfist/shakenfist/internal/logbuf"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// Real is a world of a real host: libvirt, links, dnsmasq and an etcd on disk. The process is the daemon, built with
// failpoints. The test itself must run on that host, so that it can reach the API on loopback.
type Real struct {
	Dir    string            // what the daemon keeps is in its folder "state"
	Env    []string          // more settings of the daemon
	Places int               // how many places Leftovers compares
	before hostdiff.Snapshot // the host before the first process
	look   hostdiff.Options
	binary string
	port   int
	images *httptest.Server
}

// buildDaemon builds the daemon with failpoints in the folder of the pretend host, once, and without the race detector: what dies on purpose need not
// be slow too.
func buildDaemon(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "sf-daemon")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-tags", "libvirt_dlopen failpoints", "-o", path,
		"github.com/shakenfist/shakenfist/cmd/sf-daemon").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the daemon: %w: %s", err, out)
	}
	return path, nil
}

// Here returns a fresh world on the pretend host that the test runs on, and skips the test if there is none.
func Here(t testing.TB) *Real {
	t.Helper()
	return NewReal(t, pretendhost.Inside(t), guestimage.Tiny(t), hostdiff.Options{OwnOnly: true})
}

// Bounded returns a context that ends with the test, or after a time.
func Bounded(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// NewReal returns a fresh world below dir on the host that the test runs on. It boots guests from the image file.
func NewReal(t testing.TB, dir, image string, look hostdiff.Options) *Real {
	t.Helper()
	binary, err := buildDaemon(t.Context(), pretendhost.Inside(t))
	require.NoError(t, err)
	dir, err = os.MkdirTemp(dir, "w")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // guests run as another user
	images := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, image)
	}))
	w := &Real{Dir: dir, binary: binary, port: freePort(t), images: images, look: look, Places: -len(look.Ignore)}
	for _, p := range hostdiff.Places() {
		if !look.OwnOnly || !p.Shared {
			w.Places++
		}
	}
	settleHost(t)
	w.before, err = hostdiff.Take(t.Context(), look)
	require.NoError(t, err)
	return w
}

// settleHost makes what the tools that are used leave behind at their very first use, and always will: the mount over the
// folder of network namespaces, and libvirt's folder of logs.
func settleHost(t testing.TB) {
	t.Helper()
	for _, c := range [][]string{{"ip", "netns", "add", "first"}, {"ip", "netns", "del", "first"}, {"mkdir", "-p", "/var/log/libvirt/qemu"}} {
		out, err := exec.CommandContext(t.Context(), c[0], c[1:]...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // answers at once
	require.NoError(t, err)
	defer l.Close()                     //nolint:errcheck // nothing was sent
	return l.Addr().(*net.TCPAddr).Port //nolint:errcheck,forcetypeassert // it is TCP
}

// Image is the URL of the image.
func (w *Real) Image() string { return w.images.URL + "/tiny.qcow2" }

// ImageServer is where Image comes from.
func (w *Real) ImageServer() *httptest.Server { return w.images }

// URL is where the daemon's API is.
func (w *Real) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", w.port) }

// State is the daemon's folder.
func (w *Real) State() string { return filepath.Join(w.Dir, "state") }

// Close removes the world's files.
func (w *Real) Close(t testing.TB) {
	t.Helper()
	w.images.Close()
	require.NoError(t, os.RemoveAll(w.Dir))
}

// Boot starts the daemon and returns when it is ready or has died.
func (w *Real) Boot(ctx context.Context, t testing.TB, kill Point) *Process {
	t.Helper()
	return w.Start(ctx, t, kill).Process
}

// Daemon is a running daemon.
type Daemon struct {
	*Process
	PID int
	Log func() string
}

// SayWhenFailed logs what the daemon logged, if the test has failed.
func (d *Daemon) SayWhenFailed(t testing.TB) {
	t.Helper()
	if t.Failed() {
		t.Log(d.Log())
	}
}

// Await waits until an instance is in a state, and looks often: it is for measuring.
func (d *Daemon) Await(ctx context.Context, t testing.TB, id, state string) {
	t.Helper()
	for {
		i, err := d.Client.GetInstance(ctx, id)
		require.NoError(t, err)
		if i.State == state {
			return
		}
		require.NotEqual(t, "error", i.State, "%v", i.ErrorMessage)
		time.Sleep(2 * time.Millisecond)
	}
}

// Start is Boot for tests that need to know more of the daemon.
func (w *Real) Start(ctx context.Context, t testing.TB, kill Point) *Daemon {
	t.Helper()
	steps := filepath.Join(w.Dir, "steps")
	require.NoError(t, errors.Join(os.RemoveAll(steps)))
	cmd := exec.Command(w.binary, "--state", w.State(), "--listen", fmt.Sprintf("127.0.0.1:%d", w.port)) //nolint:noctx // ends by Stop
	cmd.Env = append(os.Environ(), "SHAKENFIST_ACCELERATOR=qemu", "SHAKENFIST_MINIMUM_FREE_DISK=0", "SF_STEPS_FILE="+steps)
	cmd.Env = append(cmd.Env, w.Env...)
	if kill != (Point{}) {
		cmd.Env = append(cmd.Env, "SF_FAILPOINT="+kill.String()+":kill")
	}
	log := &logbuf.Buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	dead, ended := make(chan struct{}), make(chan struct{})
	go func() {
		_ = cmd.Wait()
		if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
			close(dead)
		}
		close(ended)
	}()
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("the daemon did not end in 20 seconds:\n%s", log)
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	t.Cleanup(stop)
	p := &Process{Dead: dead, Stop: stop, Steps: func() []Point { return readSteps(t, steps) }}
	w.awaitReady(ctx, t, ended, log)
	p.Client = w.client(t)
	return &Daemon{Process: p, PID: cmd.Process.Pid, Log: log.String}
}

func (w *Real) awaitReady(ctx context.Context, t testing.TB, ended <-chan struct{}, log fmt.Stringer) {
	t.Helper()
	url := w.URL() + "/readyz"
	for {
		select {
		case <-ended:
			return
		case <-ctx.Done():
			require.NoError(t, context.Cause(ctx), log.String())
		case <-time.After(poll):
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		require.NoError(t, err)
		if a, err := http.DefaultClient.Do(r); err == nil {
			_ = a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return
			}
		}
	}
}

// client is the operator's, as client.json says. A daemon that died before it wrote that has a client nobody answers.
func (w *Real) client(t testing.TB) *client.Client {
	t.Helper()
	o := struct {
		URL       string `json:"apiurl"`
		Namespace string `json:"namespace"`
		Key       string `json:"key"`
	}{w.URL(), "system", "none"}
	if text, err := os.ReadFile(filepath.Join(w.State(), "client.json")); err == nil {
		require.NoError(t, json.Unmarshal(text, &o))
	}
	c, err := client.New(client.Options{
		BaseURL: o.URL, Namespace: o.Namespace, Key: o.Key, Poll: poll,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	require.NoError(t, err)
	return c
}

// readSteps reads what the daemon wrote of its steps, and numbers them.
func readSteps(t testing.TB, path string) []Point {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	seen := map[Point]int{}
	var all []Point
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, f, 4, "step %q", line)
		kind := Point{Step: f[0], After: f[2] == "after"}
		seen[kind]++
		all = append(all, Point{Step: f[0], Nth: seen[kind], After: kind.After})
	}
	return all
}

// Leftovers compares the host with what it was before the first process, and looks into the daemon's folders.
func (w *Real) Leftovers(ctx context.Context, t testing.TB) []string {
	t.Helper()
	now, err := hostdiff.Take(ctx, w.look)
	require.NoError(t, err)
	var left []string
	for _, c := range hostdiff.Compare(w.before, now) {
		if c.Added && !w.own(c.Line) {
			left = append(left, c.String())
		}
	}
	for _, dir := range []string{"instances", "blobs", "image_cache", "networks"} {
		err := filepath.WalkDir(filepath.Join(w.State(), dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				left = append(left, "+ file "+path)
			}
			return nil // what vanishes while we look is not left
		})
		require.NoError(t, err)
	}
	return left
}

// own tells what is there because the daemon itself runs: its process, its sockets, its folder.
func (w *Real) own(line string) bool {
	return strings.Contains(line, w.binary) || strings.Contains(line, "sf-daemon") || strings.Contains(line, filepath.Join(w.State(), "etcd")) ||
		strings.Contains(line, fmt.Sprintf(":%d", w.port))
}

// Console waits until the instance's console has every one of the texts, and returns it.
func Console(ctx context.Context, c *client.Client, ref string, texts ...string) (string, error) {
	var console string
	err := until(ctx, func() (bool, error) {
		body, err := c.ConsoleData(ctx, ref, -1)
		if err != nil {
			return false, err
		}
		defer body.Close() //nolint:errcheck // read to its end
		data, err := io.ReadAll(body)
		if err != nil {
			return false, err
		}
		console = string(data)
		for _, text := range texts {
			if !strings.Contains(console, text) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		err = fmt.Errorf("%w; the console has:\n%s", err, console)
	}
	return console, err
}
