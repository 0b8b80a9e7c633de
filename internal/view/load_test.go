package view_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func TestWhatWentWhileNobodyWatchedGoesToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		p, other := newProcess(s).run(t), newProcess(s).run(t)
		p.put(t, "gone", "red")
		p.put(t, "painted", "red")
		p.put(t, "same", "red")
		require.NoError(t, other.Fresh(t.Context()))

		// All watches break, and what happens before they are made again is compacted away.
		s.FailNext("Watch", errors.New("broken"))
		s.FailNext("Watch", errors.New("broken"))
		synctest.Wait()
		head := commit(t, s, store.Delete("o/thing/gone"), p.things.Put("painted", thing{"blue"}), store.Put("o/head", nil))
		require.NoError(t, s.Compact(t.Context(), head))

		require.NoError(t, p.Fresh(t.Context()))
		_, there := p.things.Get("gone")
		require.False(t, there)
		require.Equal(t, "blue", p.colorOf("painted"))
		require.Equal(t, 1, p.things.Count("color", "red"))
		synctest.Wait()
		require.Equal(t, 2, p.changes("gone"), "nobody was told that it went")
	})
}

func commit(t *testing.T, s store.Store, ops ...store.Op) store.Revision {
	t.Helper()
	r, err := s.Commit(t.Context(), nil, ops)
	require.NoError(t, err)
	return r
}

func TestCompactionUnderARunningWatchIsNoNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		p := newProcess(s).run(t)
		for range 20 {
			require.NoError(t, s.Compact(t.Context(), p.put(t, "a", "red")))
		}
		commit(t, s, store.Put("e/1", nil)) // moves the store on, but not the view
		require.NoError(t, s.Compact(t.Context(), commit(t, s, store.Put("e/1", nil))))
		p.put(t, "a", "blue")
		require.NoError(t, p.Fresh(t.Context()))
		require.Equal(t, "blue", p.colorOf("a"))
	})
}

func TestAStoreThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		broken := errors.New("the disk of the store is full")
		for range 3 {
			s.FailNext("List", broken)
		}
		p := newProcess(s).run(t)
		// 50, 100 and 200 ms of pauses
		require.Equal(t, 350*time.Millisecond, took(func() { require.NoError(t, p.Fresh(t.Context())) }))
		require.Equal(t, 3, strings.Count(p.log.String(), broken.Error()))
		for i := range 50 {
			s.FailNext("Watch", broken)
			synctest.Wait()
			color := fmt.Sprint(i)
			p.put(t, "a", color)
			require.Equal(t, color, p.colorOf("a"))
		}
	})
}

// paged returns two entries a page, and has something happen after each page.
type paged struct {
	*memstore.Store
	after map[int]func() // by page, from 1
	pages int
}

func (s *paged) List(ctx context.Context, prefix, after string, _ int) (store.Page, error) {
	p, err := s.Store.List(ctx, prefix, after, 2)
	if s.pages++; s.after[s.pages] != nil {
		s.after[s.pages]()
	}
	return p, err
}

func TestALoadOfManyPagesIsOneMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &paged{Store: memstore.New()}
		p := newProcess(s)
		put := func(id, color string) store.Op { return p.things.Put(id, thing{color}) }
		head := store.Put("o/head", nil)
		// Pages: head a | b c | d e
		commit(t, s, head, put("a", "0"), put("b", "0"), put("c", "0"), put("d", "0"), put("e", "0"))
		s.after = map[int]func(){
			1: func() { commit(t, s, head, store.Delete("o/thing/a"), put("d", "1"), put("f", "1")) },
			2: func() {
				commit(t, s, head, store.Delete("o/thing/f"), put("a0", "2"), put("b", "2"), store.Delete("o/thing/e"))
				commit(t, s, head, put("e", "3"))
				commit(t, s, store.Put("e/1", nil))
			},
		}
		fresh := make(chan map[string]string)
		go func() { // asks before the load, and so waits for no commit
			require.NoError(t, p.Fresh(t.Context()))
			colors := map[string]string{}
			for _, r := range p.things.All() {
				colors[r.ID] = r.Value.Color
			}
			fresh <- colors
		}()
		synctest.Wait()
		p.run(t)
		want := map[string]string{"a0": "2", "b": "2", "c": "0", "d": "1", "e": "3"}
		require.Equal(t, want, <-fresh, "seen as soon as the view calls itself loaded")
		time.Sleep(time.Minute)
		require.Equal(t, len(want), p.things.Len())
		for color, n := range map[string]int{"0": 1, "1": 1, "2": 2, "3": 1} {
			require.Equal(t, n, p.things.Count("color", color), color)
		}
	})
}

func TestOldRecordsAreUpgradedWhenRead(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	old := newProcess(s).run(t)
	old.put(t, "a", "red")

	p := &process{View: view.New(s, slog.New(slog.DiscardHandler))}
	type painted struct{ Colors []string }
	now := view.NewTable[painted](p.View, "thing",
		func(r json.RawMessage) (json.RawMessage, error) {
			var v thing
			err := json.Unmarshal(r, &v)
			return json.RawMessage(`{"Color":"` + v.Color + `"}`), err
		},
		func(r json.RawMessage) (json.RawMessage, error) {
			var v struct{ Color string }
			err := json.Unmarshal(r, &v)
			return json.RawMessage(`{"Colors":["` + v.Color + `"]}`), err
		})
	p.run(t)
	require.NoError(t, p.Fresh(t.Context()))
	row, there := now.Get("a")
	require.True(t, there)
	require.Equal(t, []string{"red"}, row.Value.Colors)
}

func TestWhatCanNotBeReadIsSkippedAndNotTakenForGone(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"a newer schema":   `{"schema":2,"record":{"color":"infrared"}}`,
		"no schema":        `{"record":{"color":"infrared"}}`,
		"no JSON":          `infrared`,
		"another type":     `{"schema":1,"record":{"color":7}}`,
		"nothing whatever": ``,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				p := newProcess(s).run(t)
				p.put(t, "a", "red")
				p.put(t, "b", "red")
				commit(t, s, store.Put("o/thing/a", []byte(value)), store.Put("o/head", nil))
				again := newProcess(s).run(t)
				for _, p := range []*process{p, again} {
					require.NoError(t, p.Fresh(t.Context()))
					_, there := p.things.Get("a")
					require.False(t, there, "an outdated record is shown")
					require.True(t, p.things.Unreadable("a"), "a record nobody can read is taken for none")
					require.False(t, p.things.Unreadable("b"))
					require.Equal(t, 1, p.things.Count("color", "red"))
					require.Contains(t, p.log.String(), "o/thing/a")
				}
				p.put(t, "a", "blue")
				require.NoError(t, again.Fresh(t.Context()))
				require.Equal(t, "blue", again.colorOf("a"))
				require.False(t, again.things.Unreadable("a"))

				commit(t, s, store.Put("o/thing/a", []byte(value)), store.Put("o/head", nil))
				p.remove(t, "a")
				require.False(t, p.things.Unreadable("a"))
			})
		})
	}
}
