package client_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// busy answers 503 so many times before it answers.
func busy(times int, retryAfter string, answer any) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if times--; times >= 0 {
			w.Header().Set("Retry-After", retryAfter)
			say(503, api.Error{Error: "too many logins wait already", Status: 503})(w, r)
			return
		}
		say(200, answer)(w, r)
	}
}

func TestASafeRequestIsRepeatedWhenABusyServerSaysWhen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		strategy client.Strategy
		times    int
		after    string
		asked    int
		works    bool
	}{
		"a few times":         {client.Pause, 4, "2", 5, true},
		"not for ever":        {client.Pause, 5, "2", 5, false},
		"not without a time":  {client.Pause, 1, "", 1, false},
		"not beyond patience": {client.Pause, 1, "61", 1, false},
		"not without any":     {client.Continue, 1, "2", 1, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.on("GET /nodes", busy(c.times, c.after, []api.Node{}))
			start := time.Now()
			_, err := s.client(func(o *client.Options) { o.Strategy = c.strategy }).ListNodes(t.Context())
			if (err == nil) != c.works || s.count("GET /nodes") != c.asked {
				t.Errorf("%s: asked %d times, then %v", name, s.count("GET /nodes"), err)
			}
			if took := time.Since(start); took != time.Duration(c.asked-1)*2*time.Second {
				t.Errorf("%s: took %v", name, took)
			}
		})
	}
}

func TestALoginIsRepeatedAndAChangeIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on("POST /auth", busy(2, "1", api.Token{AccessToken: "t", TokenType: "Bearer", ExpiresIn: 900}))
		s.on("POST /instances/a/poweron", busy(1, "1", nil))
		err := s.client(func(o *client.Options) { o.Strategy = client.Pause }).PowerOn(t.Context(), "a")
		if !errors.Is(err, fault.Unavailable) || s.count("POST /auth") != 3 || s.count("POST /instances/a/poweron") != 1 {
			t.Errorf("asked %v, then %v", s.asked, err)
		}
	})
}

func TestNetworksInUseAreNamed(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.on("DELETE /networks", say(403, map[string]any{
		"error": api.Undeleted{Deleted: []string{"n1"}, Unable: []string{"n2", "n3"}}, "status": 403,
	}))
	u, err := s.client(nil).DeleteAllNetworks(t.Context(), "", false)
	want := "these networks are in use: n2, n3; delete their instances first"
	if !errors.Is(err, fault.Forbidden) || fault.Text(err) != want || len(u.Deleted) != 1 || len(u.Unable) != 2 {
		t.Errorf("got %v, %v", u, err)
	}
	s.on("DELETE /networks", say(403, api.Error{Error: "no", Status: 403}))
	if _, err := s.client(nil).DeleteAllNetworks(t.Context(), "", false); fault.Text(err) != "no" {
		t.Errorf("got %v", err)
	}
}
