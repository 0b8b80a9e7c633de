//go:build failpoints

package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The tests of a build that can be made to fail: go test -tags failpoints ./internal/daemon

func TestStepsAreRecordedAndKillable(t *testing.T) {
	t.Parallel()
	dir, steps := t.TempDir(), filepath.Join(t.TempDir(), "steps")
	p := start(t, []string{"SF_STEPS_FILE=" + steps, "SF_FAILPOINT=rename client file#1:before:kill"}, inState(dir)...)
	if code := p.wait(); code != -1 {
		t.Fatalf("exit code %d, want death by signal", code)
	}
	record, err := os.ReadFile(steps)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, clientFileName)
	mustContain(t, string(record), "commit create namespace\tsystem\tafter", "rename client file\t"+path+"\tbefore")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file came to be before its rename: %v", err)
	}
	again := start(t, nil, inState(dir)...)
	if _, err := talk(t, again.ready(dir)).ListNodes(t.Context()); err != nil {
		t.Errorf("the key after a crash does not work: %v", err)
	}
}

func TestStepsCanFailAndHang(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, []string{"SF_FAILPOINT=rename client file#1:after:fail"}, inState(dir, "--simulate")...)
	if code := p.wait(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	mustContain(t, p.log(), `step \"rename client file\" was made to fail`)
	p = start(t, []string{"SF_FAILPOINT=rename client file#1:before:hang"}, inState(t.TempDir(), "--simulate", "--log-level", "debug")...)
	select {
	case <-p.ended:
		t.Errorf("it ended instead of hanging:\n%s", p.log())
	case <-time.After(time.Second): // for that long it hangs at least
	}
	if p.address() != "" && status(p.address()+"/readyz") == http.StatusOK {
		t.Error("it is ready though its start hangs")
	}
}

func TestFailpointsAreRead(t *testing.T) {
	t.Parallel()
	got, err := parseFailpoint("commit a#b: c#12:after:hang")
	if err == nil {
		t.Errorf("a name with # was taken for %+v", got)
	}
	if got, err = parseFailpoint("commit create instance#12:after:hang"); err != nil || got != (failpoint{"commit create instance", 12, true, "hang"}) {
		t.Errorf("got %+v (%v)", got, err)
	}
	for _, wrong := range []string{"x", "x#1", "x#0:before:kill", "x#1:during:kill", "x#1:before:explode", "#1:before:kill", "x#one:after:fail"} {
		if got, err := parseFailpoint(wrong); err == nil {
			t.Errorf("%q was taken for %+v", wrong, got)
		}
	}
}
