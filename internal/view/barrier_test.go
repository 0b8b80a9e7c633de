package view_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// gated answers a Get when the test lets it: what it read is then as old as the Get's beginning.
type gated struct {
	*memstore.Store
	gate chan struct{}
}

func (g *gated) Get(ctx context.Context, key string) (store.Entry, error) {
	e, err := g.Store.Get(ctx, key)
	<-g.gate
	return e, err
}

func TestReadersShareOneRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gated{memstore.New(), make(chan struct{})}
		p := newProcess(g).run(t)
		var readers sync.WaitGroup
		fresh := func() { require.NoError(t, p.Fresh(t.Context())) }
		readers.Go(fresh)
		synctest.Wait()
		for range 1000 {
			readers.Go(fresh)
		}
		synctest.Wait()
		close(g.gate)
		readers.Wait()
		require.EqualValues(t, 2, g.Stats().Gets, "one for the first reader, one for all who came meanwhile")
	})
}

func TestAReadUnderWayIsNotSharedWithWhoComesLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		g := &gated{s, make(chan struct{})}
		p, other := newProcess(g), newProcess(s).run(t)
		ended := make(chan string)
		read := func() {
			require.NoError(t, p.Fresh(t.Context()))
			ended <- p.colorOf("a")
		}
		go read() // reads that there is nothing
		synctest.Wait()
		other.put(t, "a", "red")
		go read()
		synctest.Wait()
		close(g.gate)
		p.run(t)
		require.Equal(t, []string{"red", "red"}, []string{<-ended, <-ended})
	})
}

func TestAReaderWhoLeavesTakesTheReadFromNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gated{memstore.New(), make(chan struct{})}
		p := newProcess(g).run(t)
		ctx, leave := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		readers.Go(func() { require.ErrorIs(t, p.Fresh(ctx), context.Canceled) })
		synctest.Wait()
		readers.Go(func() { require.NoError(t, p.Fresh(t.Context())) })
		synctest.Wait()
		leave()
		synctest.Wait()
		close(g.gate)
		readers.Wait()
	})
}
