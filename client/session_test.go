package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("GET /nodes", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-1" {
			say(401, api.Error{Error: "Signature has expired", Status: 401})(w, r)
			return
		}
		say(200, []api.Node{})(w, r)
	})
	c := s.client(nil)
	for range 2 {
		if _, err := c.ListNodes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s.logins != 2 || s.count("GET /nodes") != 3 {
		t.Errorf("%d logins, %d requests; want 2 and 3", s.logins, s.count("GET /nodes"))
	}
}

func TestARefusalThatStaysIsAnError(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("GET /nodes", say(401, api.Error{Error: "unauthorized", Status: 401}))
	_, err := s.client(nil).ListNodes(t.Context())
	if !errors.Is(err, fault.Unauthorized) || fault.Text(err) != "unauthorized" {
		t.Errorf("got %v", err)
	}
	if s.logins != 2 || s.count("GET /nodes") != 2 {
		t.Errorf("%d logins, %d requests; want 2 and 2", s.logins, s.count("GET /nodes"))
	}
}

func TestAWrongKeyIsTriedOnce(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("POST /auth", say(401, api.Error{Error: "unauthorized", Status: 401}))
	_, err := s.client(nil).ListNodes(t.Context())
	if !errors.Is(err, fault.Unauthorized) || s.count("POST /auth") != 1 || s.count("GET /nodes") != 0 {
		t.Errorf("got %v after %v", err, s.asked)
	}
	if strings.Contains(err.Error(), "s3cret") || fault.Text(err) != `unauthorized: there is no namespace "demo", or it has no such key` {
		t.Errorf("got %q", err)
	}
}

func TestWithoutKeyNothingIsAsked(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	_, err := s.client(func(o *client.Options) { o.Key = "" }).ListNodes(t.Context())
	if !errors.Is(err, fault.Unauthorized) || s.count("POST /auth") != 0 {
		t.Errorf("got %v after %v", err, s.asked)
	}
}

func TestManyCallsShareOneLogin(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("GET /nodes", say(200, []api.Node{}))
	c := s.client(nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.ListNodes(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s.logins != 1 || s.count("GET ")+s.count("GET /") != 1 {
		t.Errorf("%d logins, asked %v", s.logins, s.asked)
	}
}

// moved answers the root page with a redirect, and fails the test if anything else is asked.
func moved(t *testing.T, status int, location string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Method != http.MethodGet {
			t.Errorf("%s %s went to the old place", r.Method, r.URL)
		}
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestAPermanentRedirectOfTheBaseIsFollowed(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("GET /api/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "node-get") })
	s.on("GET /api", s.routes["GET /api/"])
	s.on("POST /api/auth", say(200, api.Token{AccessToken: "t"}))
	s.on("GET /api/nodes", say(200, []api.Node{{Name: "node-1"}}))
	target := httptest.NewServer(s)
	t.Cleanup(target.Close)
	old := moved(t, 301, target.URL+"/api/")
	c, err := client.New(client.Options{BaseURL: old.URL + "/", Namespace: "demo", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.ListNodes(t.Context())
	if err != nil || len(l) != 1 {
		t.Fatalf("got %v, %v", l, err)
	}
	if can, err := c.Has(t.Context(), api.CanGetNode); !can || err != nil {
		t.Errorf("Has says %v, %v", can, err)
	}
	if can, err := c.Has(t.Context(), api.CanProvideDNS); can || err != nil {
		t.Errorf("Has says %v, %v", can, err)
	}
}

func TestOtherRedirectsAreErrorsThatNameThePlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status   int
		location string
	}{{302, "http://elsewhere.test/api"}, {307, "http://elsewhere.test/api"}, {308, "http://elsewhere.test/api"}, {301, "/api/"}} {
		old := moved(t, c.status, c.location)
		k, err := client.New(client.Options{BaseURL: old.URL, Namespace: "demo", Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.ListNodes(t.Context())
		if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Text(err), c.location) {
			t.Errorf("%d to %s: %v", c.status, c.location, err)
		}
	}
}

func TestAKeyIsNotTakenFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("GET ", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://sf.test")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	_, err := s.client(func(o *client.Options) { o.BaseURL = "https://sf.test" }).ListNodes(t.Context())
	if !errors.Is(err, fault.Invalid) || s.count("POST /auth") != 0 || !strings.Contains(fault.Text(err), "not encrypted") {
		t.Errorf("got %v after %v", err, s.asked)
	}
}

func TestRedirectsOfCallsAreNotFollowed(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("POST /instances/web1/poweron", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://elsewhere.test/")
		w.WriteHeader(http.StatusFound)
	})
	err := s.client(nil).PowerOn(t.Context(), "web1")
	if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Text(err), "http://elsewhere.test/") {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatIsNotThereIsUnavailable(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c, err := client.New(client.Options{BaseURL: gone.URL, Namespace: "demo", Key: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ListNodes(t.Context())
	if !errors.Is(err, fault.Unavailable) || !strings.Contains(fault.Text(err), "is the API URL right") {
		t.Errorf("got %v", err)
	}
}

func TestAWebPageIsNotPrintedWhole(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("POST /auth", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		w.WriteHeader(http.StatusNotImplemented)
		_, _ = io.WriteString(w, "<!DOCTYPE HTML>\n<html>…</html>")
	})
	_, err := s.client(nil).ListNodes(t.Context())
	if want := "sf.test:13000 answers with a web page and status 501 Not Implemented; is the API URL right?"; fault.Text(err) != want {
		t.Errorf("got %q, want %q", fault.Text(err), want)
	}
}
