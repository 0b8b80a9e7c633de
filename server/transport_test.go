package server

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
)

func TestPathsAreServedUnderBothRootsWithoutRedirects(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, path := range []string{"/api", "/api/", "//", "/api//"} {
		if a := l.send(http.MethodGet, path, "", nil); a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/networks/", "//networks", "/api/networks", "/api/networks/", "//api//networks//"} {
		if a := l.send(http.MethodGet, path, "demo", nil); string(a.body) != "[]\n" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	// A redirected POST would have become a GET.
	n := get[api.Network](l, http.MethodPost, "/api//networks/", "demo", map[string]any{"name": "lan", "netblock": "10.0.0.0/24"})
	if n.Name != "lan" {
		t.Errorf("got %+v", n)
	}
}

func TestWrongMethodsAreNamed(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a := l.send(http.MethodPatch, "/instances", "demo", nil)
	if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, POST" ||
		string(a.body) != `{"message":"The method is not allowed for the requested URL."}`+"\n" {
		t.Errorf("%d %q %s", a.status, a.header.Get("Allow"), a.body)
	}
	a = l.send(http.MethodOptions, "/instances/web1/poweron", "", nil)
	if a.status != http.StatusOK || a.header.Get("Allow") != "OPTIONS, POST" || string(a.body) != "null\n" {
		t.Errorf("OPTIONS: %d %q %s", a.status, a.header.Get("Allow"), a.body)
	}
	a = l.send(http.MethodHead, "/networks", "demo", nil)
	if a.status != http.StatusOK || a.header.Get("Content-Length") != "3" || len(a.body) != 0 {
		t.Errorf("HEAD: %d %v %q", a.status, a.header, a.body)
	}
	if a := l.send(http.MethodHead, "/nodes", "demo", nil); a.status != http.StatusUnauthorized || len(a.body) != 0 {
		t.Errorf("HEAD without permission: %d %q", a.status, a.body)
	}
}

func TestRequestsHaveAnID(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	made := regexp.MustCompile(`^[0-9a-f-]{36}$`)
	for _, path := range []string{"/", "/instances", "/nowhere"} {
		if id := l.send(http.MethodGet, path, "", nil).header.Get(api.HeaderRequestID); !made.MatchString(id) {
			t.Errorf("%s: ID %q", path, id)
		}
	}
	for _, insane := range []string{"a b", strings.Repeat("x", 200), `"`} {
		if id := l.send(http.MethodGet, "/", "", nil, api.HeaderRequestID, insane).header.Get(api.HeaderRequestID); !made.MatchString(id) {
			t.Errorf("%q was adopted as %q", insane, id)
		}
	}
	body := map[string]any{"name": "lan", "netblock": "10.0.0.0/24"}
	a := l.send(http.MethodPost, "/networks", "demo", body, api.HeaderRequestID, "my-request.1")
	if a.header.Get(api.HeaderRequestID) != "my-request.1" {
		t.Errorf("the caller's ID became %q", a.header.Get(api.HeaderRequestID))
	}
	for _, e := range get[[]api.Event](l, http.MethodGet, "/networks/lan/events?event_type=audit", "demo", nil) {
		if e.Extra["request-id"] != "my-request.1" {
			t.Errorf("event %q has request ID %v", e.Message, e.Extra["request-id"])
		}
	}
}

func TestHandlerThatPanicsEndsNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := &server{cloud: l.cloud, log: slog.New(slog.NewTextHandler(l.log, nil)), metrics: newMetrics(l.cloud, nil, ""), paths: newPaths()}
	s.paths.Handle("/boom", s.endpoint(map[string]route{http.MethodGet: {
		who: nobody, stateless: true, handle: func(*call) (any, error) { panic("a defect") },
	}}))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/boom", nil))
	var e api.Error
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusInternalServerError || e.Status != w.Code {
		t.Errorf("%d %s (%v)", w.Code, w.Body, err)
	}
	if log := l.log.String(); !strings.Contains(log, "a defect") || !strings.Contains(log, w.Header().Get(api.HeaderRequestID)) ||
		strings.Contains(w.Body.String(), "defect") {
		t.Errorf("log %s, body %s", log, w.Body)
	}
}

func TestMetricsTellWhatHappensAndOfWhomNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeInstance("demo")
	l.send(http.MethodGet, "/instances/web1", "demo", nil)
	l.send("BREW", "/instances/web1", "demo", nil)
	l.send(http.MethodGet, "/no/such/path", "demo", nil)
	a := l.send(http.MethodGet, "/metrics", "", nil)
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("Content-Type %q", a.header.Get("Content-Type"))
	}
	page := string(a.body)
	for _, want := range []string{
		`shakenfist_http_request_duration_seconds_count{method="GET",route="/instances/{ref}",status="200"} 1`,
		`shakenfist_http_request_duration_seconds_count{method="other",route="/instances/{ref}",status="405"} 1`,
		`shakenfist_http_request_duration_seconds_count{method="GET",route="other",status="404"} 1`,
		`shakenfist_instances{state="created"} 1`,
		`shakenfist_instances{state="error"} 0`,
		`shakenfist_node_up{node="node-1"} 1`,
		`shakenfist_node_cpus{node="node-1"} 128`,
		`shakenfist_build_info{go="go`,
		`shakenfist_store_operations_total{operation="commit"}`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, secret := range []string{"demo", "web1", "no/such/path"} {
		if strings.Contains(page, secret) {
			t.Errorf("the metrics name %q", secret)
		}
	}
}

func TestBodiesOfAnyLengthAreBounded(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	data := strings.Repeat("QUFB", (256<<10)/3) // nearly 256 KiB of user data
	body := blankInstance()
	body["user_data"] = data
	if a := l.send(http.MethodPost, "/instances", "demo", body); a.status != http.StatusOK {
		t.Errorf("the largest user data: %d %.200s", a.status, a.body)
	}
	body["user_data"] = data + "QUFBQUFBQUFB"
	l.wantError(l.send(http.MethodPost, "/instances", "demo", body), http.StatusBadRequest, "user_data")
	body["user_data"] = strings.Repeat(data, 8)
	l.wantError(l.send(http.MethodPost, "/instances", "demo", body), http.StatusBadRequest, "larger than")
	l.wantError(l.send(http.MethodPost, "/auth", "", strings.Repeat("x", 4<<20)), http.StatusBadRequest, "larger than")
}
