package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
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

func TestAWaitThatRunsOutOfPatienceIsNoError(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	a := testApp(t, nil, "", "", "")
	a.err, a.strategy = &stderr, "pause"
	err := a.wait(t.Context(), "Instance web1", func(ctx context.Context, _ *progress) error {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Minute || time.Until(end) < 50*time.Second {
			t.Errorf("the deadline is %v", end)
		}
		return fault.Because("client.Wait", fault.Unavailable, "", context.DeadlineExceeded, "gave up waiting")
	})
	if err != nil || stderr.String() != "Instance web1 is not done after 1m0s; it goes on. Use --wait to wait longer.\n" {
		t.Errorf("got %v, %q", err, &stderr)
	}
	a.strategy = "continue"
	err = a.wait(t.Context(), "", func(context.Context, *progress) error {
		t.Error("it waited")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAWaitThatWasAskedForFailsWhenItsTimeRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			waiting waiting
			after   time.Duration
		}{{waiting{timeout: patience(90 * time.Second)}, 90 * time.Second}, {waiting{wait: true}, time.Hour}} {
			a := testApp(t, nil, "", "", "")
			a.strategy, a.waiting = "continue", c.waiting // the flags say otherwise than the strategy
			start := time.Now()
			forever := func(ctx context.Context, _ *progress) error {
				<-ctx.Done()
				return fault.Because("client.Wait", fault.Unavailable, "", ctx.Err(), "gave up waiting")
			}
			err := a.within(t.Context(), func(ctx context.Context) error { return a.wait(ctx, "Instance web1", forever) })
			if !errors.Is(err, timeoutError{"Instance web1", c.after}) || time.Since(start) != c.after {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			err = a.within(t.Context(), func(ctx context.Context) error { return forever(ctx, nil) })
			if !errors.Is(err, timeoutError{limit: c.after}) {
				t.Errorf("before it could wait: %v", err)
			}
			refused := fault.New("POST", fault.Conflict, "", "no")
			if err := a.within(t.Context(), func(context.Context) error { return refused }); !errors.Is(err, refused) {
				t.Errorf("a refusal became %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err = a.within(ctx, func(ctx context.Context) error { return a.wait(ctx, "Instance web1", forever) })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("an interrupt became %v", err)
			}
		}
	})
}

func TestPatienceIsSecondsOrADuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"90": 90 * time.Second, "0.5": time.Second / 2, "1m30s": 90 * time.Second, "250ms": 250 * time.Millisecond} {
		var p patience
		if err := p.Set(text); err != nil || time.Duration(p) != want || p.String() != want.String() {
			t.Errorf("%q is %v: %v", text, time.Duration(p), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "-1s", "soon", "NaN", "Inf", "1e300", "1d"} {
		var p patience
		if err := p.Set(text); err == nil {
			t.Errorf("%q is %v", text, time.Duration(p))
		}
	}
}

func TestAnInterruptTellsWhatGoesOn(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"instance list":                            "Interrupted.\n",
		"network create lan 10.0.0.0/24":           "Interrupted. What was asked of the server goes on.\n",
		"--verbose network create lan 10.0.0.0/24": "Interrupted. What was asked of the server goes on.\n",
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client goes
			interrupt()
			<-r.Context().Done()
		})
		mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("POST /auth", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"access_token": "t"}`) })
		server := httptest.NewServer(mux)
		var stderr bytes.Buffer
		a := testApp(t, map[string]string{"SHAKENFIST_API_URL": server.URL, "SHAKENFIST_NAMESPACE": "demo", "SHAKENFIST_KEY": "k"}, "", "", "")
		a.err = &stderr
		if code := a.main(ctx, strings.Fields(command)); code != exitInterrupted || !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("%s: exit code %d, %q", command, code, &stderr)
		}
		server.Close()
	}
}
