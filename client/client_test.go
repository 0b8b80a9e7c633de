package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// script is a server whose answers are functions, by method and path. It logs everybody in and writes down what it was
// asked. As a RoundTripper it answers without a socket, so that tests may run in a synctest bubble.
type script struct {
	t      *testing.T
	routes map[string]func(w http.ResponseWriter, r *http.Request)
	any    func(w http.ResponseWriter, r *http.Request) // answers what has no route; nil fails the test

	mu     sync.Mutex
	asked  []string // guarded by mu; "METHOD path"
	logins int      // guarded by mu
}

func newScript(t *testing.T) *script {
	t.Helper()
	return &script{t: t, routes: map[string]func(http.ResponseWriter, *http.Request){}}
}

func (s *script) on(route string, answer func(w http.ResponseWriter, r *http.Request)) {
	s.routes[route] = answer
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + r.URL.Path
	s.mu.Lock()
	s.asked = append(s.asked, route)
	answer, known := s.routes[route]
	if route == "POST /auth" && !known {
		s.logins++
		known = true
		token := api.Token{AccessToken: "token-" + string(rune('0'+s.logins)), TokenType: "Bearer", ExpiresIn: 900}
		answer = say(200, token)
	}
	s.mu.Unlock()
	switch {
	case known:
		answer(w, r)
	case route == "GET /", route == "GET ":
		_, _ = io.WriteString(w, "<html>node-get</html>")
	case s.any != nil:
		s.any(w, r)
	default:
		s.t.Errorf("unexpected %s", route)
		say(404, api.Error{Error: "no such route", Status: 404})(w, r)
	}
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w, served := httptest.NewRecorder(), r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	s.ServeHTTP(w, served)
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// count returns how often a route was asked.
func (s *script) count(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, asked := range s.asked {
		if asked == route {
			n++
		}
	}
	return n
}

// client returns a client of the script, its options changed by change.
func (s *script) client(change func(*client.Options)) *client.Client {
	s.t.Helper()
	o := client.Options{
		BaseURL: "http://sf.test:13000", Namespace: "demo", Key: "s3cret", HTTPClient: &http.Client{Transport: s},
		Strategy: client.Continue,
	}
	if change != nil {
		change(&o)
	}
	c, err := client.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// say answers with a status and a JSON body.
func say(status int, body any) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []client.Options{
		{},
		{BaseURL: "sf.example.com:13000"},
		{BaseURL: "ftp://sf.example.com"},
		{BaseURL: "http://sf.example.com/?a=b"},
		{BaseURL: "http://user:hunter2@sf.example.com"},
		{BaseURL: "http://sf.example.com", Strategy: "sometimes"},
	} {
		_, err := client.New(o)
		if !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestRequestsCarryWhatTheContractAsksFor(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("GET /instances", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for name, want := range map[string]string{
			"Authorization": "Bearer token-1", "Content-Type": "application/json", "X-Request-ID": "my-request",
			"User-Agent": "tool/1 " + client.UserAgent(),
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if string(body) != `{"all":true}` {
			t.Errorf("the body is %s", body)
		}
		w.Header().Set(api.HeaderRequestID, "my-request")
		say(200, []api.Instance{{UUID: "i1"}})(w, r)
	})
	var seen []client.Exchange
	c := s.client(func(o *client.Options) {
		o.UserAgent = "tool/1"
		o.Trace = func(e client.Exchange) { seen = append(seen, e) }
	})
	l, err := c.ListInstances(client.WithRequestID(t.Context(), "my-request"), true)
	if err != nil || len(l) != 1 || l[0].UUID != "i1" {
		t.Fatalf("got %v, %v", l, err)
	}
	if last := seen[len(seen)-1]; last.RequestID != "my-request" || last.Status != 200 || last.Method != http.MethodGet {
		t.Errorf("the trace ends with %+v", last)
	}
	if !strings.HasPrefix(client.UserAgent(), "shakenfist-go/") {
		t.Errorf("the user agent is %q", client.UserAgent())
	}
}

func TestStatusesBecomeKindsWithTheServersText(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]fault.Kind{
		400: fault.Invalid, 401: fault.Unauthorized, 403: fault.Forbidden, 404: fault.NotFound, 405: fault.Invalid,
		406: fault.NotReady, 409: fault.Conflict, 500: fault.Internal, 503: fault.Unavailable, 507: fault.Exhausted,
		201: fault.Internal, 204: fault.Internal,
	} {
		s := newScript(t)
		s.on("GET /nodes", say(status, api.Error{Error: "it rains", Status: status}))
		_, err := s.client(nil).ListNodes(t.Context())
		if !errors.Is(err, kind) || (fault.Text(err) != "it rains" && status != 204) {
			t.Errorf("%d became %v", status, err)
		}
	}
}

func TestErrorTextsOfAllShapesAreRead(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"error": "a", "status": 400}`:                                   "a",
		`{"message": "The method is not allowed for the requested URL."}`: "The method is not allowed for the requested URL.",
		`{"error": {"unable": ["n1"], "deleted": []}, "status": 400}`:     `{"deleted":[],"unable":["n1"]}`,
		"plain text\n": "plain text",
		"":             "400 Bad Request",
	} {
		s := newScript(t)
		s.on("GET /nodes", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, body)
		})
		_, err := s.client(nil).ListNodes(t.Context())
		if got := fault.Text(err); got != want {
			t.Errorf("%s was read as %q, want %q", body, got, want)
		}
	}
}

func TestAnEmptyNameNeverBecomesTheList(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	_, err := s.client(nil).DeleteInstance(t.Context(), "")
	if !errors.Is(err, fault.Invalid) || len(s.asked) != 0 {
		t.Errorf("got %v after %v", err, s.asked)
	}
}

func TestInActsInAnotherNamespace(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	var bodies []string
	note := func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		say(200, map[string]any{})(w, r)
	}
	s.on("GET /instances/web1", note)
	s.on("DELETE /networks/net1", note)
	s.on("POST /artifacts", note)
	c := s.client(nil).In("other")
	_, err1 := c.GetInstance(t.Context(), "web1")
	_, err2 := c.DeleteNetwork(t.Context(), "net1")
	_, err3 := c.CreateArtifact(t.Context(), api.CreateArtifact{URL: "debian:12"})
	_, err4 := c.In("").GetInstance(t.Context(), "web1")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	want := []string{`{"namespace":"other"}`, `{"namespace":"other"}`, `{"url":"debian:12","shared":false,"namespace":"other"}`, ""}
	if !slices.Equal(bodies, want) {
		t.Errorf("the bodies were %q, want %q", bodies, want)
	}
}

func TestAnswersThatAreNotTheAPIAreSaidToBe(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("GET /nodes", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello</html>") })
	_, err := s.client(nil).ListNodes(t.Context())
	if !errors.Is(err, fault.Internal) || !strings.Contains(fault.Text(err), "<html>hello") {
		t.Errorf("got %v", err)
	}
}
