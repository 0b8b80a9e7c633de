package daemon

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/api"
)

func TestSimulationNeedsNothingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, nil, append([]string{"--simulate"}, anyPort...)...)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(strings.TrimPrefix(line, "state directory: "))
	f := p.ready(dir)
	info, err := os.Stat(filepath.Join(dir, clientFileName))
	if err != nil || info.Mode().Perm() != 0o600 || f.Namespace != "system" {
		t.Errorf("client file: %v, %v, namespace %s", info.Mode(), err, f.Namespace)
	}
	c := talk(t, f)
	for _, name := range []string{"a", "b", "c"} {
		vm, err := c.CreateInstance(t.Context(), api.CreateInstance{Name: name, CPUs: 1, Memory: 512, Disk: []api.DiskSpec{{Size: new(8)}}})
		if err != nil {
			t.Fatal(err)
		}
		if vm, err = c.WaitInstance(t.Context(), vm.UUID, nil); err != nil || vm.State != api.StateCreated {
			t.Errorf("%s is %s (%v)", name, vm.State, err)
		}
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
	mustContain(t, p.log(), "msg=ready", "msg=stopped")
	if strings.Contains(p.log(), f.Key) {
		t.Error("the key is in the log")
	}
}

func TestRestartsKeepTheKeyAndTheCloud(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, nil, inState(dir)...)
	before := first.ready(dir)
	if _, err := talk(t, before).CreateNetwork(t.Context(), api.CreateNetwork{Name: new("lan"), Netblock: "10.0.0.0/24"}); err != nil {
		t.Fatal(err)
	}
	ends := []struct {
		signal syscall.Signal
		code   int
		state  string
	}{{syscall.SIGTERM, exitOK, "left the cloud"}, {syscall.SIGKILL, -1, ""}, {syscall.SIGINT, exitOK, "left the cloud"}}
	p := first
	for _, end := range ends {
		began := time.Now()
		p.signal(end.signal)
		if code := p.wait(); code != end.code || time.Since(began) > 15*time.Second {
			t.Errorf("%v: exit code %d after %v", end.signal, code, time.Since(began))
		}
		// A crash can leave half a file behind.
		if err := os.WriteFile(filepath.Join(dir, clientFileName+".partial"), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		p = start(t, nil, inState(dir)...)
		f := p.ready(dir)
		if f.Key != before.Key || f.APIURL == before.APIURL {
			t.Errorf("%v: the key changed, or the address did not: %s", end.signal, f.APIURL)
		}
		networks, err := talk(t, f).ListNetworks(t.Context(), false)
		if err != nil || len(networks) != 1 || networks[0].Name != "lan" {
			t.Errorf("%v: %v (%v)", end.signal, networks, err)
		}
		events, err := talk(t, f).NodeEvents(t.Context(), nodeName(t), api.EventQuery{})
		if err != nil || (end.state != "" && !hasEvent(events, end.state)) {
			t.Errorf("%v: events %v (%v)", end.signal, events, err)
		}
	}
}

func nodeName(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func hasEvent(events []api.Event, message string) bool {
	for _, e := range events {
		if e.Message == message {
			return true
		}
	}
	return false
}

func TestKeyThatNoLongerWorksIsReplaced(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		`{"apiurl": "http://127.0.0.1:1", "namespace": "system", "key": "stale"}`,
		`{"apiurl": "http://127.0.0.1:1", "namespace": "nowhere", "key": "stale"}`,
		`nonsense`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, clientFileName), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		p := start(t, nil, inState(dir, "--simulate")...)
		f := p.ready(dir)
		if _, err := talk(t, f).ListNodes(t.Context()); err != nil {
			t.Errorf("%s became one that does not work: %v", content, err)
		}
		if info, err := os.Stat(filepath.Join(dir, clientFileName)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v (%v)", info.Mode(), err)
		}
	}
}

func TestSecondDaemonOnADirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, nil, inState(dir)...)
	f := first.ready(dir)
	began := time.Now()
	second := start(t, nil, inState(dir)...)
	if code := second.wait(); code != exitFailed || time.Since(began) > 15*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
	mustContain(t, second.log(), "another daemon", dir, "--state")
	if _, err := talk(t, f).ListNodes(t.Context()); err != nil {
		t.Errorf("the first daemon suffered: %v", err)
	}
}

func TestAddressInUseIsSaid(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // the test is over
	p := start(t, nil, "--simulate", "--listen", l.Addr().String())
	if code := p.wait(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	mustContain(t, p.log(), "listening for the REST API", "--listen")
}

func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close() //nolint:errcheck // the test is over
	p := start(t, []string{"NOTIFY_SOCKET=" + path}, inState(dir, "--simulate")...)
	told := func() string {
		_ = socket.SetReadDeadline(time.Now().Add(time.Minute)) // a socket has deadlines
		b := make([]byte, 100)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	if got := told(); got != "READY=1" {
		t.Errorf("told %q first", got)
	}
	f, err := readClientFile(filepath.Join(dir, clientFileName))
	if err != nil || status(f.APIURL+"/readyz") != http.StatusOK {
		t.Errorf("told to be ready too early: %v", err)
	}
	p.signal(syscall.SIGTERM)
	if got := told(); got != "STOPPING=1" {
		t.Errorf("told %q in the end", got)
	}
	if code := p.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestIdleDaemonIsSilentAndSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, nil, inState(dir, "--log-level", "debug")...)
	p.ready(dir)
	before := p.log()
	time.Sleep(2 * time.Second) // what is silent can only be heard for a while
	said := strings.TrimPrefix(p.log(), before)
	for line := range strings.Lines(said) {
		if !strings.Contains(line, "path=/readyz") {
			t.Errorf("said while idle: %s", line)
		}
	}
}
