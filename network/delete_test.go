package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func TestAllNetworksOfANamespaceAreDeleted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		var mine []string
		for i := range 60 {
			s := lan()
			s.Name, s.Netblock = fmt.Sprint("n", i), fmt.Sprintf("10.0.%d.0/24", i)
			mine = append(mine, w.made(t, s).ID)
		}
		theirs := w.made(t, Spec{Name: "lan", Namespace: "rival", Netblock: "10.0.0.0/24"})
		used := mine[7]
		guest := w.attached(t, Request{Network: used})
		slices.Sort(mine)

		deleted, inUse, err := w.DeleteAll(t.Context(), "team", false)
		require.NoError(t, err)
		require.Equal(t, []string{used}, inUse)
		require.Equal(t, slices.DeleteFunc(slices.Clone(mine), func(id string) bool { return id == used }), deleted)
		for _, id := range deleted {
			w.wait(t, id, Deleted)
		}
		w.wait(t, used, Created)

		deleted, inUse, err = w.DeleteAll(t.Context(), "team", true)
		require.NoError(t, err)
		require.Equal(t, []string{used}, deleted)
		require.Empty(t, inUse)
		w.wait(t, used, DeleteWait)
		deleted, inUse, err = w.DeleteAll(t.Context(), "team", false) // it is on its way already
		require.NoError(t, err)
		require.Equal(t, []string{used}, deleted)
		require.Empty(t, inUse)
		w.detach(t, guest)
		w.wait(t, used, Deleted)
		w.wait(t, theirs.ID, Created)

		deleted, _, err = w.DeleteAll(t.Context(), "", false)
		require.NoError(t, err)
		require.Equal(t, []string{theirs.ID}, deleted)
	})
}

// A network that is not deleted because it is in use, and a guest that gets no network because it is deleted, are never the
// same two.
func TestDeletingAllAndAttachingHaveOneWinner(t *testing.T) {
	t.Parallel()
	s, fabric := memstore.New(), simnet.NewFabric()
	w := begin(t, s, "n1", fabric.Node(netip.MustParseAddr("192.0.2.1")))
	elsewhere := begin(t, s, "n2", fabric.Node(netip.MustParseAddr("192.0.2.2")))
	outcomes := map[string]int{}
	for range 100 {
		n := w.made(t, lan())
		require.NoError(t, elsewhere.view.Fresh(t.Context()))
		var attaching, deleting error
		var deleted, inUse []string
		var guest string
		var racers sync.WaitGroup
		racers.Go(func() { guest, attaching = elsewhere.attach(t, Request{Network: n.ID}) })
		racers.Go(func() { deleted, inUse, deleting = w.DeleteAll(t.Context(), "team", false) })
		racers.Wait()
		require.NoError(t, deleting)
		if attaching == nil {
			outcomes["attached"]++
			require.Equal(t, []string{n.ID}, inUse)
			w.wait(t, n.ID, Created)
			elsewhere.detach(t, guest)
			_, err := w.Delete(t.Context(), n.ID)
			require.NoError(t, err)
		} else {
			outcomes["deleted"]++
			require.True(t, errors.Is(attaching, fault.NotFound), "%v", attaching)
			require.Equal(t, []string{n.ID}, deleted)
		}
		w.wait(t, n.ID, Deleted)
	}
	t.Log(outcomes)
}

func TestWhatWasNotedOnAnInterfaceGoesWithIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		w.Metadata.Guard(metadata.Interface, w.GuardInterface)
		n := w.made(t, lan())
		guest := w.attached(t, Request{Network: n.ID})
		nic := w.InterfacesOf(t.Context(), guest)[0].ID
		require.NoError(t, w.Metadata.Put(t.Context(), metadata.Interface, nic, "k", "v"))
		events, err := w.events.List(t.Context(), event.Object{Kind: "interface", ID: nic}, "", -1)
		require.NoError(t, err)
		require.Len(t, events, 1)
		w.detach(t, guest)
		require.NoError(t, w.Metadata.Put(t.Context(), metadata.Interface, nic, "l", "v"), "it can still be read, so it can be noted on")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.ErrorIs(t, w.Metadata.Put(t.Context(), metadata.Interface, nic, "k", "v"), fault.NotFound)
		require.Empty(t, keys(t, w.store, "o/metadata/"))
		require.Empty(t, keys(t, w.store, "e/interface/"))
	})
}
