package main

import (
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sf-client": main})
}

// TestScripts runs the scripts in testdata/script, each against an imitation of the API of its own. Its command
// "requests FILE" writes the requests made so far, without logins, to a file. Run the tests with -update to accept changed
// output.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			m := newImitation()
			server := httptest.NewServer(m.mux)
			e.Defer(server.Close)
			e.Values["imitation"] = m
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // with -race, each run of sf-client would otherwise end a second late
			e.Setenv("URL", server.URL)
			e.Setenv("SHAKENFIST_API_URL", server.URL)
			e.Setenv("SHAKENFIST_NAMESPACE", "system")
			e.Setenv("SHAKENFIST_KEY", "s3cret")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"requests": func(ts *testscript.TestScript, _ bool, args []string) {
				m := ts.Value("imitation").(*imitation) //nolint:errcheck // Setup put it there
				m.mu.Lock()
				defer m.mu.Unlock()
				file := ts.MkAbs(args[0])
				ts.Check(os.WriteFile(file, []byte(strings.Join(m.bodies, "\n")+"\n"), 0o600))
				m.bodies = nil
			},
		},
		UpdateScripts: *update,
	})
}
