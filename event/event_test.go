package event_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

var web = event.Object{Kind: "instance", ID: "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01"} //nolint:gochecknoglobals // a constant

func messages(t *testing.T, r *event.Recorder, about event.Object, typ event.Type, limit int) string {
	t.Helper()
	events, err := r.List(t.Context(), about, typ, limit)
	require.NoError(t, err)
	var all []string
	for _, e := range events {
		all = append(all, e.Message)
	}
	return strings.Join(all, " ")
}

func TestEventsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		r := event.NewRecorder(s, "n1")
		for i := range 12 {
			typ := []event.Type{event.Audit, event.Status}[i%2]
			require.NoError(t, r.Record(t.Context(), web, typ, fmt.Sprint(i), nil)) // six pairs at one moment each
			if i%2 == 1 {
				time.Sleep(time.Second)
			}
		}
		other := web
		other.ID += "0" // of which web's ID is a prefix
		require.NoError(t, r.Record(t.Context(), other, event.Audit, "another's", nil))
		require.Equal(t, "11 10 9 8 7 6 5 4 3 2 1 0", messages(t, r, web, "", 0))
		require.Equal(t, "11 10 9", messages(t, r, web, "", 3))
		require.Equal(t, "10 8 6 4 2 0", messages(t, r, web, event.Audit, -1))
		require.Equal(t, "10 8", messages(t, r, web, event.Audit, 2))
		require.Empty(t, messages(t, r, web, event.Usage, -1))
		require.Equal(t, "another's", messages(t, r, other, "", 0))

		_, err := s.Commit(t.Context(), nil, r.Forget(web))
		require.NoError(t, err)
		require.Empty(t, messages(t, r, web, "", -1))
		require.Equal(t, "another's", messages(t, r, other, "", 0), "more was forgotten than asked for")
	})
}

func TestAHundredEventsAreListedWhenNothingIsSaid(t *testing.T) {
	t.Parallel()
	r := event.NewRecorder(memstore.New(), "n1")
	for range 2501 { // several pages of the store
		require.NoError(t, r.Record(t.Context(), web, event.Audit, "x", nil))
	}
	for limit, want := range map[int]int{0: event.DefaultLimit, 1: 1, 2400: 2400, 9999: 2501, -1: 2501} {
		events, err := r.List(t.Context(), web, "", limit)
		require.NoError(t, err)
		require.Len(t, events, want, "limit %d", limit)
	}
}

func TestAnEventKeepsWhatItSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		r := event.NewRecorder(s, "n1")
		ctx := event.WithRequestID(t.Context(), "r-1")
		start := time.Now()
		time.Sleep(90 * time.Second)
		_, err := s.Commit(ctx, nil, []store.Op{
			r.Took(ctx, web, event.Status, start, "created", map[string]any{"attempts": 2}),
			r.Op(t.Context(), web, event.Audit, "asked", nil),
		})
		require.NoError(t, err)
		events, err := r.List(t.Context(), web, "", 0)
		require.NoError(t, err)
		took := 90.0
		require.True(t, events[0].At.Equal(time.Now()))
		events[0].At, events[1].At = time.Time{}, time.Time{}
		require.Equal(t, []event.Event{
			{Type: event.Audit, Node: "n1", Message: "asked"},
			{
				Type: event.Status, Node: "n1", Message: "created", Duration: &took,
				Extra: map[string]any{"attempts": 2.0, "request-id": "r-1"},
			},
		}, events)
	})
}

func TestAnEventComesWithItsChangeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	r := event.NewRecorder(s, "n1")
	_, err := s.Commit(t.Context(), []store.Check{store.At("o/a", 7)}, []store.Op{store.Put("o/a", nil), r.Op(t.Context(), web, event.Audit, "x", nil)})
	require.ErrorIs(t, err, fault.Conflict)
	require.Empty(t, messages(t, r, web, "", -1))
}

func TestFailures(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	r := event.NewRecorder(s, "n1")
	away := fault.New("test", fault.Unavailable, "", "away")
	s.FailNext("Commit", away)
	require.ErrorIs(t, r.Record(t.Context(), web, event.Audit, "x", nil), away)
	s.FailNext("List", away)
	_, err := r.List(t.Context(), web, "", 0)
	require.ErrorIs(t, err, away)
	_, err = s.Commit(t.Context(), nil, []store.Op{store.Put("e/instance/"+web.ID+"/1", []byte("not JSON"))})
	require.NoError(t, err)
	_, err = r.List(t.Context(), web, "", 0)
	require.Equal(t, fault.Internal, fault.KindOf(err))
	require.Panics(t, func() { r.Op(context.Background(), web, event.Audit, "x", map[string]any{"f": func() {}}) })
}

func TestParseType(t *testing.T) {
	t.Parallel()
	for _, typ := range []event.Type{event.Audit, event.Mutate, event.Status, event.Usage, event.Resources, event.Prune, event.Historic} {
		got, err := event.ParseType(string(typ))
		require.NoError(t, err)
		require.Equal(t, typ, got)
	}
	for _, name := range []string{"", "AUDIT", "audit ", strings.Repeat("x", 1<<20)} {
		_, err := event.ParseType(name)
		require.True(t, errors.Is(err, fault.Invalid))
		require.Contains(t, fault.Text(err), "event_type")
		require.Less(t, len(err.Error()), 300)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	require.Empty(t, event.RequestID(t.Context()))
	require.Equal(t, "r-1", event.RequestID(event.WithRequestID(t.Context(), "r-1")))
}

func TestTheNewestSampleIsKept(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	r := event.NewRecorder(s, "n1")
	_, found, err := r.Newest(t.Context(), web, event.Usage)
	require.NoError(t, err)
	require.False(t, found)
	for i := range 3 {
		require.NoError(t, r.Sample(t.Context(), web, event.Usage, "usage", map[string]any{"cpu": i}))
	}
	require.NoError(t, r.Sample(t.Context(), web, event.Resources, "resources", nil))
	e, found, err := r.Newest(t.Context(), web, event.Usage)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, map[string]any{"cpu": 2.0}, e.Extra)
	require.Equal(t, "n1", e.Node)
	page, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	require.Len(t, page.Entries, 2, "one key an object and type")

	_, err = s.Commit(t.Context(), nil, r.Forget(web))
	require.NoError(t, err)
	_, found, err = r.Newest(t.Context(), web, event.Usage)
	require.NoError(t, err)
	require.False(t, found)
}
