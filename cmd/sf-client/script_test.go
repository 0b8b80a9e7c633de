package main

import (
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/shakenfist/shakenfist/fault"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// unscrubbed is the program itself, for scripts that need it in the background or in a pipe.
const unscrubbed = "unscrubbed-sf-client"

func TestMain(m *testing.M) {
	uuid.SetRand(&ascending{}) // so that the server lists objects in the order in which they were made
	testscript.Main(m, map[string]func(){unscrubbed: main})
}

// TestScripts runs the scripts in testdata/script, each against the real API of a simulated cloud of its own, in which
// http://images.example has images (see images), and beside a container registry (see newRegistry) at $REGISTRY. What is different in each run is replaced in the output: see scrubber.
// Run the tests with -update to accept changed output. The scripts have these commands beyond those of testscript:
//
//	sf-client ARG...                      run the program; UUIDs in the arguments may be scrubbed ones
//	exits CODE sf-client ARG...           run it, and insist on an exit code
//	requests FILE                         write the requests made so far, without logins, to a file
//	refuse STATUS METHOD PATH TEXT        answer the next such request with an error
//	fail hypervisor|network METHOD TEXT   have the next call of the hypervisor or the network driver fail for good
//	visit NODE                            have another node join the cloud, and leave it again
//	release                               serve the images below /slow, and let pass what hold held
//	hold METHOD PATH                      keep such requests waiting until release
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			w, err := startCloud(e)
			if err != nil {
				return err
			}
			front := httptest.NewServer(w)
			e.Defer(front.Close)
			e.Defer(w.release)
			shelf := httptest.NewServer(newRegistry())
			e.Defer(shelf.Close)
			e.Values["world"] = w
			for name, value := range map[string]string{
				"HOME": e.WorkDir, "TZ": "UTC", "URL": front.URL, "SHAKENFIST_API_URL": front.URL, "SHAKENFIST_NAMESPACE": "system",
				"SHAKENFIST_KEY": "s3cret",
				"IMAGES":         "http://images.example",
				"REGISTRY":       strings.TrimPrefix(shelf.URL, "http://"),
				"GORACE":         "atexit_sleep_ms=0", // with -race, each run of the program would otherwise end a second late
			} {
				e.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"sf-client": runClient, "exits": runExits, "requests": runRequests, "refuse": runRefuse, "fail": runFail, "visit": runVisit,
			"hold": func(ts *testscript.TestScript, _ bool, args []string) { worldOf(ts).hold(args[0], args[1]) },
			"release": func(ts *testscript.TestScript, _ bool, _ []string) {
				w := worldOf(ts)
				w.release()
				w.images.release()
			},
		},
	})
}

func worldOf(ts *testscript.TestScript) *world {
	return ts.Value("world").(*world) //nolint:errcheck // Setup put it there
}

// run runs the program and returns its exit code.
func run(ts *testscript.TestScript, args []string) int {
	w, words := worldOf(ts), make([]string, len(args))
	for n, arg := range args {
		words[n] = w.scrubber.restore(arg)
	}
	err := ts.Exec(unscrubbed, words...)
	stdout, stderr := w.scrubber.scrub(ts.ReadFile("stdout")), w.scrubber.scrub(ts.ReadFile("stderr"))
	_, _ = ts.Stdout().Write([]byte(stdout)) // into memory
	_, _ = ts.Stderr().Write([]byte(stderr))
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func runClient(ts *testscript.TestScript, neg bool, args []string) {
	if code := run(ts, args); neg != (code != 0) {
		ts.Fatalf("sf-client %s: exit code %d\n%s", strings.Join(args, " "), code, ts.ReadFile("stderr"))
	}
}

func runExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := run(ts, args[2:]); code != want {
		ts.Fatalf("sf-client %s: exit code %d, want %d", strings.Join(args[2:], " "), code, want)
	}
}

func runRequests(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(w.scrubber.scrub(w.requests())), 0o600))
}

func runRefuse(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	w := worldOf(ts)
	w.refuse(args[1], w.scrubber.restore(args[2]), status, args[3])
}

func runFail(ts *testscript.TestScript, _ bool, args []string) {
	w, err := worldOf(ts), fault.New(args[0]+"."+args[1], fault.Invalid, "", "%s", args[2])
	switch args[0] {
	case "hypervisor":
		w.parts.Hypervisor.FailNext(args[1], err)
	case "network":
		w.parts.Network.FailNext(args[1], err)
	default:
		ts.Fatalf("there is no %s to fail", args[0])
	}
}
