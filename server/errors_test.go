package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store/memstore"
)

const nothing = "11111111-2222-4333-8444-555555555555"

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, path := range []string{
		"/instances/" + nothing, "/instances/nameless", "/instances/..", "/networks/" + nothing, "/networks/nameless", "/interfaces/" + nothing,
		"/artifacts/" + nothing, "/artifacts/nameless", "/blobs/" + nothing, "/nodes/nowhere", "/nodes/nowhere/events", "/auth/namespaces/nowhere",
		"/instances/" + nothing + "/events", "/networks/nameless/addresses", "/artifacts/nameless/versions", "/auth/namespaces/nowhere/keys",
		"/nowhere", "/instances/a/b/c", "/api/api", "/uploads", "/admin/nowhere",
	} {
		l.wantError(l.send(http.MethodGet, path, "system", nil), http.StatusNotFound, "not found")
	}
}

func TestStoreThatIsAwayIsSaid(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	token := "Bearer " + l.token("demo")
	away := fault.New("test", fault.Unavailable, "", "the state store does not answer")
	l.state.FailNext("Get", away)
	a := l.send(http.MethodGet, "/instances", "", nil, "Authorization", token)
	l.wantError(a, http.StatusServiceUnavailable, "the state store does not answer")
	l.state.FailNext("Get", away)
	l.wantError(l.send(http.MethodGet, "/readyz", "", nil), http.StatusServiceUnavailable, "not ready: the state store does not answer")
	l.state.FailNext("Get", away)
	if a := l.send(http.MethodGet, "/healthz", "", nil); a.status != http.StatusOK {
		t.Errorf("the process does not live: %d", a.status)
	}
	if !strings.Contains(l.log.String(), a.header.Get(api.HeaderRequestID)) {
		t.Error("the failed request's ID is not in the log")
	}
	l.wantError(l.send(http.MethodGet, "/readyz", "", nil), http.StatusServiceUnavailable, "not ready")
	if a := l.send(http.MethodGet, "/readyz", "", nil); a.status != http.StatusOK {
		t.Errorf("the store is back, but: %d %s", a.status, a.body)
	}
}

func TestCloudThatDoesNotRunIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New()
		cloud, err := shakenfist.New(shakenfist.Config{
			State: memstore.New(), Hypervisor: simhv.New(simhv.Options{Switch: net}), Network: net, Dir: t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		handler := New(cloud, Options{})
		for path, status := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 503, "/instances": 503, "/nowhere": 404, "/metrics": 200} {
			w := httptest.NewRecorder()
			start := time.Now()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != status || time.Since(start) > starting {
				t.Errorf("%s: %d %s after %v", path, w.Code, w.Body, time.Since(start))
			}
		}
	})
}

func TestServerThatLacksMoreSaysWhat(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(o *Options) { o.Ready = func() error { return errors.New("the key is missing") } })
	l.wantError(l.send(http.MethodGet, "/readyz", "", nil), http.StatusServiceUnavailable, "not ready: the key is missing")
}

func TestOnlyTheServersOwnFaultsAreLoggedAsErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	huge := blankInstance()
	huge["memory"] = 1 << 29
	l.wantError(l.send(http.MethodPost, "/instances", "demo", huge), 507, "MiB")
	l.wantError(l.send(http.MethodGet, "/instances/none", "demo", nil), 404, "not found")
	if log := l.log.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "status=507") {
		t.Errorf("what a caller did wrong is no error of the server, but is in the log for who looks: %s", log)
	}
}
