package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shakenfist/shakenfist/api"
)

// fetching is a server whose one instance is creating when it is first looked at, then in the given state.
func fetching(t *testing.T, then string) string {
	t.Helper()
	var looks atomic.Int32
	mux := http.NewServeMux()
	answer := func(route string, body func() any) {
		mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(body()); err != nil {
				t.Error(err)
			}
		})
	}
	view := func(state string) func() any {
		return func() any { return api.Instance{UUID: "i1", Name: "web1", State: state} }
	}
	answer("GET /{$}", func() any { return "" })
	answer("POST /auth", func() any { return api.Token{AccessToken: "t"} })
	answer("POST /instances", view("initial"))
	answer("DELETE /instances/web1", view("delete-wait"))
	answer("GET /instances/i1", func() any {
		if looks.Add(1) == 1 {
			return view("creating")()
		}
		return view(then)()
	})
	answer("GET /instances/i1/events", func() any { return []api.Event{{Message: "fetched 50% of base.qcow2"}} })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// run runs the program as if stdout and stderr were a terminal.
func run(t *testing.T, url string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	a := testApp(t, map[string]string{"SHAKENFIST_API_URL": url, "SHAKENFIST_NAMESPACE": "demo", "SHAKENFIST_KEY": "k"}, "", "", "")
	a.in, a.out, a.err, a.tty = strings.NewReader(""), &output{w: &out}, &err, func(io.Writer) bool { return true }
	code = a.main(t.Context(), args)
	return code, out.String(), err.String()
}

func TestOnATerminalPeopleSeeHowFarAnInstanceIs(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, fetching(t, "created"), "instance", "create", "web1", "1", "1024", "-d", "8@debian:12")
	if code != exitOK || !strings.Contains(stdout, "state          : \x1b[32mcreated\x1b[0m\n") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if !strings.HasPrefix(stderr, "\r\x1b[KInstance web1 is creating, 0s: fetched 50% of base.qcow2\r\x1b[K") || !strings.HasSuffix(stderr, "\r\x1b[K") {
		t.Errorf("stderr got %q", stderr)
	}
}

func TestAnInstanceDeletedWhileItIsMadeIsAFailure(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, fetching(t, "deleted"), "instance", "create", "web1", "1", "1024", "-d", "8@debian:12")
	if code != exitFailure || !strings.HasSuffix(stderr, "Instance web1 was deleted while it was being made\n") {
		t.Errorf("exit code %d: %q", code, stderr)
	}
}

func TestDeletingWaitsUntilTheInstanceIsGone(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, fetching(t, "deleted"), "--json", "instance", "delete", "web1")
	if code != exitOK || !strings.Contains(stdout, `"state": "deleted"`) || !strings.HasPrefix(stderr, "\r\x1b[KInstance web1 is creating") {
		t.Errorf("exit code %d: %s %q", code, stdout, stderr)
	}
}
