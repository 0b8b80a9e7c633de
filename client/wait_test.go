package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// notReady answers 406 until so much time has passed since it was made.
func notReady(d time.Duration) func(http.ResponseWriter, *http.Request) {
	ready := time.Now().Add(d)
	return func(w http.ResponseWriter, r *http.Request) {
		if time.Now().Before(ready) {
			say(406, api.Error{Error: "network n1 is not ready (initial)", Status: 406})(w, r)
			return
		}
		say(200, api.Instance{UUID: "i1"})(w, r)
	}
}

func TestCallsThatAreNotReadyAreRepeatedEverySecondWhileTheStrategyLasts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		strategy client.Strategy
		ready    time.Duration
		tries    int
		works    bool
	}{
		{client.Continue, time.Second, 1, false},
		{client.Pause, 0, 1, true},
		{client.Pause, 60 * time.Second, 61, true},
		{client.Pause, 61 * time.Second, 61, false},
		{client.Block, 3600 * time.Second, 3601, true},
		{client.Block, 2 * time.Hour, 3601, false},
		{"", 61 * time.Second, 62, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.on("POST /instances", notReady(c.ready))
			k := s.client(func(o *client.Options) { o.Strategy = c.strategy })
			start := time.Now()
			_, err := k.CreateInstance(t.Context(), api.CreateInstance{Name: "web1"})
			if (err == nil) != c.works || (err != nil && !errors.Is(err, fault.NotReady)) {
				t.Errorf("%+v: %v", c, err)
			}
			if got := s.count("POST /instances"); got != c.tries {
				t.Errorf("%+v: tried %d times", c, got)
			}
			if took := time.Since(start); took != time.Duration(c.tries-1)*time.Second {
				t.Errorf("%+v: took %v", c, took)
			}
		})
	}
}

func TestTheEndOfTheContextEndsTheRepeating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on("POST /instances", notReady(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := s.client(func(o *client.Options) { o.Strategy = client.Block }).CreateInstance(ctx, api.CreateInstance{})
		if !errors.Is(err, fault.NotReady) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fault.Text(err), "network n1") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 2500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// states answers with one instance after the other, the last one for ever; a state "503" or "404" is an error.
func states(names ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		name := names[0]
		if len(names) > 1 {
			names = names[1:]
		}
		switch name {
		case "503":
			say(503, api.Error{Error: "starting", Status: 503})(w, r)
		case "404":
			say(404, api.Error{Error: "instance not found", Status: 404})(w, r)
		default:
			say(200, api.Instance{UUID: "i1", Name: "web1", State: name})(w, r)
		}
	}
}

func TestWaitInstanceEndsWhenTheInstanceIsMadeOrFailed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		states []string
		last   string
		took   time.Duration
	}{
		{[]string{"created"}, "created", 0},
		{[]string{"initial", "preflight", "creating", "created"}, "created", 3 * time.Second},
		{[]string{"creating", "creating-error", "error"}, "error", 2 * time.Second},
		{[]string{"creating", "503", "503", "created"}, "created", 3 * time.Second},
		{[]string{"initial", "deleted"}, "deleted", time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.on("GET /instances/i1", states(c.states...))
			var seen []string
			start := time.Now()
			i, err := s.client(nil).WaitInstance(t.Context(), "i1", func(i api.Instance) { seen = append(seen, i.State) })
			if err != nil || i.State != c.last || time.Since(start) != c.took {
				t.Errorf("%v: %s, %v after %v", c.states, i.State, err, time.Since(start))
			}
			if seen[len(seen)-1] != c.last {
				t.Errorf("%v: saw %v", c.states, seen)
			}
		})
	}
}

func TestWaitsSayWhatTheStateStillIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on("GET /instances/i1", states("creating"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		i, err := s.client(nil).WaitInstance(ctx, "i1", nil)
		if !errors.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fault.Text(err), "still creating") {
			t.Errorf("got %v", err)
		}
		if i.Name != "web1" {
			t.Errorf("the last view is %+v", i)
		}
	})
}

func TestAServerThatStaysAwayEndsAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on("GET /instances/i1", states("creating", "503"))
		start := time.Now()
		_, err := s.client(nil).WaitInstance(t.Context(), "i1", nil)
		if !errors.Is(err, fault.Unavailable) || fault.Text(err) != "starting" || time.Since(start) != 30*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestWaitInstanceDeletedEndsAtDeletedOrForgotten(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"delete-wait", "deleted"}, {"delete-wait", "404"}, {"error", "deleted"}} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t)
			s.on("GET /instances/i1", states(names...))
			i, err := s.client(nil).WaitInstanceDeleted(t.Context(), "i1", nil)
			if err != nil || i.State != api.StateDeleted || i.UUID != "i1" || i.Name != "web1" {
				t.Errorf("%v: %+v, %v", names, i, err)
			}
		})
	}
}

func TestWaitNetworkEndsWhenTheNetworkIsMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on("GET /networks/n1", states("initial", "created"))
		n, err := s.client(nil).WaitNetwork(t.Context(), "n1", nil)
		if err != nil || n.State != api.StateCreated {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

func TestConsoleDataIsStreamed(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	more := make(chan struct{})
	s.on("GET /instances/web1/consoledata", func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) != `{"length":-1}` {
			t.Errorf("the body is %s", b)
		}
		_, _ = w.Write([]byte("login: \xff"))
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-more
		_, _ = w.Write([]byte("rest"))
	})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := s.client(func(o *client.Options) { o.BaseURL, o.HTTPClient = server.URL, nil })
	data, err := c.ConsoleData(t.Context(), "web1", -1)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close() //nolint:errcheck // only read
	first := make([]byte, 8)
	if _, err := io.ReadFull(data, first); err != nil || string(first) != "login: \xff" {
		t.Errorf("got %q, %v", first, err)
	}
	close(more)
	if rest, err := io.ReadAll(data); err != nil || string(rest) != "rest" {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestCopiesAreWaitedForUntilEachIsThereOrOneFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := [][]api.Snapshot{
			{},
			{copyOf("b1", api.StateInitial), copyOf("other", api.StateError)},
			{copyOf("b1", api.StateCreated), copyOf("b2", api.StateInitial)},
			{copyOf("b2", api.StateCreated), copyOf("b1", api.StateCreated)},
		}
		c := showing(t, &looks)
		seen := 0
		l, err := c.WaitSnapshots(t.Context(), "web1", []string{"b1", "b2"}, func([]api.Snapshot) { seen++ })
		require.NoError(t, err)
		require.Equal(t, 4, seen)
		require.Equal(t, []string{"b1", "b2"}, []string{l[0].BlobUUID, l[1].BlobUUID})

		looks = [][]api.Snapshot{{copyOf("b1", api.StateInitial), copyOf("b2", api.StateError)}}
		l, err = c.WaitSnapshots(t.Context(), "web1", []string{"b1", "b2"}, nil)
		require.NoError(t, err)
		require.Equal(t, api.StateError, l[1].State)

		looks = [][]api.Snapshot{{copyOf("b1", api.StateInitial)}, {}}
		_, err = c.WaitSnapshots(t.Context(), "web1", []string{"b1"}, nil)
		require.ErrorIs(t, err, fault.NotFound)
		require.Contains(t, fault.Text(err), "was deleted while it was waited for")

		looks = [][]api.Snapshot{{copyOf("b1", api.StateInitial)}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = c.WaitSnapshots(ctx, "web1", []string{"b1"}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Contains(t, fault.Text(err), "the state is still initial")
	})
}

// showing is a client of a server that shows these lists of copies, the last one for ever.
func showing(t *testing.T, looks *[][]api.Snapshot) *client.Client {
	t.Helper()
	s := newScript(t)
	s.on("GET /instances/web1/snapshot", func(w http.ResponseWriter, r *http.Request) {
		say(200, (*looks)[0])(w, r)
		if len(*looks) > 1 {
			*looks = (*looks)[1:]
		}
	})
	return s.client(nil)
}

func copyOf(blob, state string) api.Snapshot {
	return api.Snapshot{BlobUUID: blob, Blob: api.Blob{State: state}}
}
