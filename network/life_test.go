package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func TestANetworkIsMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dns := netip.MustParseAddr("192.0.2.53")
		w := one(t, func(d *Deps) { d.DNSServers = []netip.Addr{dns} })
		s := lan()
		s.NAT = true
		n, err := w.Create(t.Context(), s)
		require.NoError(t, err)
		require.Contains(t, []State{Initial, Created}, n.State)
		n = w.wait(t, n.ID, Created)
		require.Empty(t, n.Error)
		require.Equal(t, "lan team 10.0.0.0/24", fmt.Sprint(n.Name, " ", n.Namespace, " ", n.Netblock))
		require.Positive(t, n.VXLAN)
		require.Less(t, n.VXLAN, 1<<24)

		have, there := w.wires.Network(n.ID)
		require.True(t, there)
		require.Equal(t, netdriver.Network{
			ID: netdriver.ID{UUID: n.ID, VXLAN: n.VXLAN}, MTU: 1450,
			Gateway: &netdriver.Gateway{
				Address: netip.MustParsePrefix("10.0.0.1/24"),
				DHCP:    &netdriver.DHCP{Domain: "team.shakenfist", Router: netip.MustParseAddr("10.0.0.1"), DNS: []netip.Addr{dns}},
			},
		}, have)
		var reserved []string
		for _, r := range w.Addresses(t.Context(), n.ID) {
			reserved = append(reserved, fmt.Sprint(r.Address, " ", r.Kind))
		}
		require.Equal(t, []string{"10.0.0.0 network", "10.0.0.1 gateway", "10.0.0.255 broadcast"}, reserved)
		require.Equal(t, "created, create request", w.messages(t, n.ID))
	})
}

func TestSpecs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		before := keys(t, w.store, "")
		for name, c := range map[string]struct {
			change func(*Spec)
			kind   fault.Kind
			text   string
		}{
			"a long name":       {func(s *Spec) { s.Name = strings.Repeat("n", 256) }, fault.Invalid, "name has 256 bytes, at most 255"},
			"a slash":           {func(s *Spec) { s.Name = "a/b" }, fault.Invalid, "name"},
			"a line break":      {func(s *Spec) { s.Name = "a\nb" }, fault.Invalid, "name"},
			"broken UTF-8":      {func(s *Spec) { s.Name = "a\xff" }, fault.Invalid, "name"},
			"no netblock":       {func(s *Spec) { s.Netblock = "" }, fault.Invalid, "netblock"},
			"a broken netblock": {func(s *Spec) { s.Netblock = "10.0.0.0/33" }, fault.Invalid, "netblock"},
			"a small netblock":  {func(s *Spec) { s.Netblock = "10.0.0.0/30" }, fault.Invalid, "netblock"},
			"no such namespace": {func(s *Spec) { s.Namespace = "nobody" }, fault.NotFound, "namespace not found"},
		} {
			s := lan()
			c.change(&s)
			_, err := w.Create(t.Context(), s)
			require.Equal(t, c.kind, fault.KindOf(err), name)
			require.Contains(t, fault.Text(err), c.text, name)
		}
		require.Equal(t, before, keys(t, w.store, ""), "a refused create left something behind")
		s := lan()
		s.Name = strings.Repeat("ä", 127)
		w.made(t, s)
		s.Name = ""
		w.made(t, s)
		_, err := w.Find(t.Context(), "team", "")
		require.ErrorIs(t, err, fault.NotFound, "no name is none to be found by")
	})
}

func TestNamesFindNetworks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		mine, gone := w.made(t, lan()), w.made(t, lan())
		s := lan()
		s.Namespace = "rival"
		theirs := w.made(t, s)
		_, err := w.Find(t.Context(), "team", "lan")
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), `multiple networks have the name "lan"`)
		_, err = w.Delete(t.Context(), gone.ID)
		require.NoError(t, err)
		w.wait(t, gone.ID, Deleted)

		for ref, want := range map[string]string{"lan": mine.ID, mine.ID: mine.ID, gone.ID: gone.ID, strings.ToUpper(mine.ID): mine.ID} {
			n, err := w.Find(t.Context(), "team", ref)
			require.NoError(t, err, ref)
			require.Equal(t, want, n.ID)
		}
		for _, ref := range []string{"", "wan", theirs.ID} {
			_, err := w.Find(t.Context(), "team", ref)
			require.ErrorIs(t, err, fault.NotFound, ref)
		}
		n, err := w.Find(t.Context(), "system", theirs.ID)
		require.NoError(t, err)
		require.Equal(t, "rival", n.Namespace)
		require.Len(t, w.List(t.Context(), Filter{}), 2)
		require.Len(t, w.List(t.Context(), Filter{Namespace: "team"}), 1)
		require.Len(t, w.List(t.Context(), Filter{Namespace: "team", All: true}), 2)
	})
}

func TestADeletedNetworkLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		before := keys(t, w.store, "")
		n := w.made(t, lan())
		vm := w.attached(t, Request{Network: n.ID}, Request{Network: n.ID, NoAddress: true})
		for range 2 {
			got, err := w.Delete(t.Context(), n.ID)
			require.NoError(t, err)
			require.Equal(t, DeleteWait, got.State)
		}
		time.Sleep(time.Hour)
		got, err := w.Get(t.Context(), n.ID)
		require.NoError(t, err)
		require.Equal(t, DeleteWait, got.State, "it went although an interface uses it")
		_, there := w.wires.Network(n.ID)
		require.True(t, there, "the traffic of its last guest was cut off")
		_, err = w.attach(t, Request{Network: n.ID})
		require.ErrorIs(t, err, fault.NotFound, "a network that ends takes no new guest")

		w.detach(t, vm)
		w.wait(t, n.ID, Deleted)
		_, there = w.wires.Network(n.ID)
		require.False(t, there)
		for _, prefix := range []string{"c/", "o/ipam"} {
			require.Empty(t, keys(t, w.store, prefix))
		}
		_, err = w.Delete(t.Context(), n.ID)
		require.NoError(t, err)
		time.Sleep(time.Hour + 31*time.Second)
		require.Equal(t, before, keys(t, w.store, ""), "records stay for ever")
		_, err = w.Delete(t.Context(), n.ID)
		require.ErrorIs(t, err, fault.NotFound)
	})
}

func TestATransientFaultPasses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		for _, method := range []string{"Ensure", "Ensure", "Ensure", "Info"} {
			w.wires.FailNext(method, fault.New("test", fault.Unavailable, "", "netlink is busy"))
		}
		start := time.Now()
		w.made(t, lan())
		require.Less(t, time.Since(start), 2*time.Second)
	})
}

func TestAPermanentFaultIsAnErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		within time.Duration
	}{
		"what may pass is given its time": {fault.New("test", fault.Unavailable, "", "netlink is busy"), 31 * time.Second},
		"a defect too":                    {errors.New("netlink is busy"), 31 * time.Second},
		"what can't pass fails at once":   {fault.New("test", fault.Invalid, "", "netlink is busy"), time.Millisecond},
		"nor what another holds":          {fault.New("test", fault.Conflict, "", "netlink is busy"), time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := one(t)
				for range 1000 {
					w.wires.FailNext("Ensure", c.err)
				}
				n, err := w.Create(t.Context(), lan())
				require.NoError(t, err)
				start := time.Now()
				n = w.wait(t, n.ID, Error)
				require.LessOrEqual(t, time.Since(start), c.within)
				require.Equal(t, "making the network on node n1: netlink is busy", n.Error)
				require.Equal(t, "failed, create request", w.messages(t, n.ID))
				_, err = w.attach(t, Request{Network: n.ID})
				require.ErrorIs(t, err, fault.Conflict)
				require.Contains(t, fault.Text(err), "is not usable: making the network")
				_, err = w.Wait(t.Context(), n.ID, Created)
				require.ErrorContains(t, err, "netlink is busy")

				_, err = w.Delete(t.Context(), n.ID)
				require.NoError(t, err)
				w.wait(t, n.ID, Deleted)
				require.Empty(t, keys(t, w.store, "c/"))
			})
		})
	}
}

// halfway makes a network and then says that it could not.
type halfway struct{ *simnet.Driver }

func (h halfway) Ensure(ctx context.Context, n netdriver.Network) error {
	return errors.Join(h.Driver.Ensure(ctx, n), fault.New("test", fault.Invalid, n.UUID, "half made"))
}

func TestWhatAFailedNetworkLeftIsRemovedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		wires := simnet.New()
		w := begin(t, memstore.New(), "n1", wires, func(d *Deps) { d.Driver = halfway{wires} })
		n, err := w.Create(t.Context(), lan())
		require.NoError(t, err)
		w.wait(t, n.ID, Error)
		synctest.Wait()
		_, there := wires.Network(n.ID)
		require.False(t, there, "what was half made stays until the next resync")
	})
}

func TestDeletingAFailingNetworkNeedsNoPatience(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		for range 1000 {
			w.wires.FailNext("Ensure", fault.New("test", fault.Unavailable, "", "netlink is busy"))
		}
		n, err := w.Create(t.Context(), lan())
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		_, err = w.Delete(t.Context(), n.ID)
		require.NoError(t, err)
		start := time.Now()
		w.wait(t, n.ID, Deleted)
		require.Less(t, time.Since(start), time.Second)
	})
}

func TestAMadeNetworkIsNeverGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		n := w.made(t, lan())
		for range 12 {
			w.wires.FailNext("Ensure", fault.New("test", fault.Unavailable, "", "netlink is busy"))
		}
		vm := w.attached(t, Request{Network: n.ID}) // a change that can't be made for now
		time.Sleep(30 * time.Second)
		_, err := w.Ready(t.Context(), vm)
		require.ErrorContains(t, err, "netlink is busy")
		got, err := w.Get(t.Context(), n.ID)
		require.NoError(t, err)
		require.Equal(t, Created, got.State)
		time.Sleep(2 * time.Minute)
		ready, err := w.Ready(t.Context(), vm)
		require.NoError(t, err)
		require.True(t, ready)
	})
}

func TestAnInstanceHearsThatItsNetworkCarriesIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		n := w.made(t, lan())
		w.told()
		vm := w.attached(t, Request{Network: "lan"})
		require.Contains(t, w.told(), vm)
		ready, err := w.Ready(t.Context(), vm)
		require.NoError(t, err)
		require.True(t, ready)
		mac := w.InterfacesOf(t.Context(), vm)[0].MAC
		w.wires.Plug(netdriver.ID{UUID: n.ID, VXLAN: n.VXLAN}.Bridge(), mac)
		offer, ok := w.wires.Fabric().Offer(mac)
		require.True(t, ok)
		require.Equal(t, w.address(t, vm), offer.Address.Addr())
		require.Equal(t, "vm team.shakenfist", offer.Name+" "+offer.Domain)

		// One that is up does not hear of others that come.
		up(t, w, vm)
		w.told()
		other := w.attached(t, Request{Network: "lan"})
		require.Equal(t, []string{other}, w.told())
		ready, err = w.Ready(t.Context(), "nobody")
		require.NoError(t, err)
		require.True(t, ready, "who has no network waits for none")
	})
}

func TestWhatIsDamagedIsMended(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		n := w.made(t, lan())
		vm := w.attached(t, Request{Network: n.ID})
		synctest.Wait()
		mac := w.InterfacesOf(t.Context(), vm)[0].MAC
		w.wires.Plug(netdriver.ID{VXLAN: n.VXLAN}.Bridge(), mac)
		for _, damage := range []func(int){w.wires.BreakBridge, w.wires.BreakDHCP, w.wires.BreakGateway} {
			damage(n.VXLAN)
			_, ok := w.wires.Fabric().Offer(mac)
			require.False(t, ok)
			time.Sleep(30 * time.Second)
			synctest.Wait()
			_, ok = w.wires.Fabric().Offer(mac)
			require.True(t, ok)
		}
	})
}

func TestLeftoversAreRemovedAndNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, wires := memstore.New(), simnet.New()
		w := begin(t, s, "n1", wires)
		wanted := w.made(t, lan())
		strange := w.made(t, lan())
		w.stop()
		stray := func(i int) netdriver.Network {
			return netdriver.Network{ID: netdriver.ID{UUID: fmt.Sprintf("7f3c2a10-0000-4000-8000-%012x", i), VXLAN: i}, MTU: 1400}
		}
		for i := range 3 {
			require.NoError(t, wires.Ensure(t.Context(), stray(i+1)))
		}
		_, err := s.Commit(t.Context(), nil, []store.Op{
			store.Put("o/network/"+strange.ID, []byte(`{"schema":99,"record":{}}`)), store.Put("o/head", nil),
		})
		require.NoError(t, err)
		wires.FailNext("Remove", fault.New("test", fault.Unavailable, "", "busy"))
		changes := wires.Changes()

		begin(t, s, "n1", wires)
		synctest.Wait()
		require.Equal(t, changes+2, wires.Changes(), "one that can't be removed keeps the others")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Equal(t, changes+3, wires.Changes())
		ids, err := wires.List(t.Context())
		require.NoError(t, err)
		require.Len(t, ids, 2, "the wanted one, and the one of which a newer program wrote")
		_, there := wires.Network(wanted.ID)
		require.True(t, there)
		_, there = wires.Network(strange.ID)
		require.True(t, there)

		require.NoError(t, wires.Ensure(t.Context(), stray(9)))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		_, there = wires.Network(stray(9).UUID)
		require.False(t, there)
	})
}

func TestARestartChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, wires := memstore.New(), simnet.New()
		w := begin(t, s, "n1", wires)
		n := w.made(t, lan())
		vm := w.attached(t, Request{Network: n.ID})
		w.told()
		w.stop()
		changes, commits := wires.Changes(), s.Stats().Commits
		w = begin(t, s, "n1", wires)
		time.Sleep(10 * time.Minute)
		require.Equal(t, changes, wires.Changes())
		require.LessOrEqual(t, s.Stats().Commits, commits+1, "joining, and nothing more")
		ready, err := w.Ready(t.Context(), vm)
		require.NoError(t, err)
		require.True(t, ready)
	})
}

func TestMovesThatTheTableLacksAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		n := w.made(t, lan())
		_, err := w.Delete(t.Context(), n.ID)
		require.NoError(t, err)
		w.wait(t, n.ID, Deleted)
		tx := txn()
		require.ErrorContains(t, w.move(t.Context(), &tx, n.ID, Created, "", "back"), "cannot go from deleted to created")
		require.Empty(t, tx.Ops)
		require.NoError(t, w.move(t.Context(), &tx, n.ID, Deleted, "", "again"))
		require.Empty(t, tx.Ops, "staying is no move")
	})
}
