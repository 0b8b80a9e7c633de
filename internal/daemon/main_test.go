package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/internal/logbuf"
)

// asDaemon in the environment makes the test binary a daemon: with the value simulated drivers over an embedded etcd, so
// that everything that has to survive the process does, and yet nothing on the host is touched.
const asDaemon = "SF_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		os.Exit(mainWith(openHalf, os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// openHalf opens simulated drivers, and the state store that the flags ask for.
func openHalf(ctx context.Context, log *slog.Logger, f flags, c config, dir string) (*parts, error) {
	p := simulatedParts()
	if f.simulate {
		return p, nil
	}
	err := p.openState(ctx, log, c, dir)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// process is a daemon in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	ended  chan struct{}
	stderr logbuf.Buffer
}

func (p *process) log() string { return p.stderr.String() }

// start starts a daemon whose environment is the variables alone.
func start(t *testing.T, variables []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(self, args...)
	p.cmd.Env = append([]string{asDaemon + "=1", "TMPDIR=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, variables...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState says how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("daemon %v said:\n%s", args, p.log())
		}
	})
	return p
}

// wait returns the exit code, -1 if a signal ended it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		p.t.Fatalf("the daemon did not end:\n%s", p.log())
		return 0
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ready waits until the daemon calls itself ready and returns its client file, which must be there by then.
func (p *process) ready(dir string) clientFile {
	p.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		select {
		case <-p.ended:
			p.t.Fatalf("the daemon ended:\n%s", p.log())
		case <-time.After(10 * time.Millisecond): // another process has to get on
		}
		url := p.address()
		if url == "" {
			continue
		}
		if status(url+"/readyz") != http.StatusOK {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, clientFileName))
		if err != nil {
			p.t.Fatalf("ready without a client file: %v", err)
		}
		var f clientFile
		if err := json.Unmarshal(content, &f); err != nil || f.APIURL != url {
			p.t.Fatalf("client file %s, but the API is at %s (%v)", content, url, err)
		}
		return f
	}
	p.t.Fatalf("the daemon was never ready:\n%s", p.log())
	return clientFile{}
}

// address is where the log says that the API is.
func (p *process) address() string {
	_, rest, ok := strings.Cut(p.log(), " api=")
	if !ok {
		return ""
	}
	return strings.Fields(rest)[0]
}

func status(url string) int {
	res, err := http.Get(url)
	if err != nil {
		return 0
	}
	defer res.Body.Close()               //nolint:errcheck // read to its end
	_, _ = io.Copy(io.Discard, res.Body) // what counts is the status
	return res.StatusCode
}

// talk returns a client that the file is the credentials of.
func talk(t *testing.T, f clientFile) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{BaseURL: f.APIURL, Namespace: f.Namespace, Key: f.Key, Poll: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustContain(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

var anyPort = []string{"--listen", "127.0.0.1:0"}

func inState(dir string, more ...string) []string {
	return append(append([]string{"--state", dir}, anyPort...), more...)
}

func settingsFile(t *testing.T, format string, args ...any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
