package server

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestWhoComesWhileAListIsMadeSharesTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSharing()
		var mu sync.Mutex
		made := 0
		goOn := make(chan struct{})
		f := func() []byte {
			mu.Lock()
			defer mu.Unlock()
			made++
			<-goOn
			return []byte{byte(made)}
		}
		var all sync.WaitGroup
		ask := func(want byte) {
			all.Go(func() {
				body, err := s.do(t.Context(), listing{namespace: "demo"}, f)
				require.NoError(t, err)
				require.Equal(t, []byte{want}, body)
			})
			synctest.Wait()
		}
		ask(1)
		for range 7 {
			ask(2)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.do(gone, listing{namespace: "demo"}, f)
		require.ErrorIs(t, err, context.Canceled)
		goOn <- struct{}{}
		synctest.Wait()
		ask(3)
		goOn <- struct{}{}
		goOn <- struct{}{}
		all.Wait()
		require.Empty(t, s.making, "what nobody makes is remembered")
	})
}

func TestListsAreSharedByWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := newSharing()
	for n, what := range []listing{{}, {namespace: "demo"}, {all: true}, {old: true}} {
		body, err := s.do(t.Context(), what, func() []byte {
			if n < 3 {
				_, err := s.do(t.Context(), listing{namespace: "other"}, func() []byte { return []byte("other") })
				require.NoError(t, err)
			}
			return []byte{byte(n)}
		})
		require.NoError(t, err)
		require.Equal(t, []byte{byte(n)}, body)
	}
}

func TestAListThatPanicsKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSharing()
		fail := make(chan struct{})
		var all sync.WaitGroup
		for range 2 { // the first now, the second for those who come after it
			all.Go(func() {
				require.Panics(t, func() {
					_, _ = s.do(t.Context(), listing{}, func() []byte { <-fail; panic("a defect") })
				})
			})
			synctest.Wait()
		}
		all.Go(func() {
			body, err := s.do(t.Context(), listing{}, func() []byte { return []byte("mine") })
			require.NoError(t, err)
			require.Equal(t, "mine", string(body))
		})
		synctest.Wait()
		close(fail)
		all.Wait()
		require.Empty(t, s.making)
	})
}
