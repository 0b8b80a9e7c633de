package network

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func txn() view.Txn { return view.Txn{Name: "test"} }

func up(t *testing.T, w *world, instance string) {
	t.Helper()
	tx := txn()
	w.Up(&tx, instance)
	_, err := w.view.Commit(t.Context(), tx)
	require.NoError(t, err)
}

func TestRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		n := w.made(t, lan())
		s := lan()
		s.Namespace, s.Name = "rival", "theirs"
		theirs := w.made(t, s)
		used := w.attached(t, Request{Network: n.ID, Address: "10.0.0.7", MAC: "02:00:00:00:00:07"})
		before := keys(t, w.store, "")
		for name, c := range map[string]struct {
			requests []Request
			kind     fault.Kind
			text     string
		}{
			"no network":          {[]Request{{}}, fault.Invalid, "network_uuid is missing"},
			"an unknown network":  {[]Request{{Network: "wan"}}, fault.NotFound, "network not found"},
			"another's network":   {[]Request{{Network: theirs.ID}}, fault.NotFound, "network not found"},
			"no address":          {[]Request{{Network: "lan", Address: "ten"}}, fault.Invalid, `address "ten" is not an IP address`},
			"outside the block":   {[]Request{{Network: "lan", Address: "10.0.1.1"}}, fault.Invalid, "address 10.0.1.1 is not in the netblock 10.0.0.0/24"},
			"of the other kind":   {[]Request{{Network: "lan", Address: "::ffff:10.0.0.9"}}, fault.Invalid, "address"},
			"with a zone":         {[]Request{{Network: "lan", Address: "fe80::1%eth0"}}, fault.Invalid, "address"},
			"the network's":       {[]Request{{Network: "lan", Address: "10.0.0.0"}}, fault.Conflict, "address 10.0.0.0 is in use"},
			"the router's":        {[]Request{{Network: "lan", Address: "10.0.0.1"}}, fault.Conflict, "address 10.0.0.1 is in use"},
			"the broadcast's":     {[]Request{{Network: "lan", Address: "10.0.0.255"}}, fault.Conflict, "address 10.0.0.255 is in use"},
			"a guest's":           {[]Request{{Network: "lan", Address: "10.0.0.7"}}, fault.Conflict, "address 10.0.0.7 is in use"},
			"one address twice":   {[]Request{{Network: "lan", Address: "10.0.0.9"}, {Network: "lan", Address: "10.0.0.9"}}, fault.Conflict, "address 10.0.0.9 is in use"},
			"no MAC":              {[]Request{{Network: "lan", MAC: "here"}}, fault.Invalid, "mac"},
			"a multicast MAC":     {[]Request{{Network: "lan", MAC: "01:00:5e:00:00:01"}}, fault.Invalid, "mac"},
			"one MAC twice":       {[]Request{{Network: "lan", MAC: "02:00:00:00:00:09"}, {Network: "lan", MAC: "02-00-00-00-00-09"}}, fault.Invalid, "macaddress 02:00:00:00:00:09 is given to two interfaces"},
			"no model":            {[]Request{{Network: "lan", Model: "ne3000"}}, fault.Invalid, `model "ne3000" is not known`},
			"the second is wrong": {[]Request{{Network: "lan"}, {Network: "wan"}}, fault.NotFound, "network not found"},
		} {
			_, err := w.attach(t, c.requests...)
			require.Equal(t, c.kind, fault.KindOf(err), "%s: %v", name, err)
			require.Contains(t, fault.Text(err), c.text, name)
		}
		require.Equal(t, before, keys(t, w.store, ""))

		vm := w.attached(t, Request{Network: n.ID, Address: "10.0.0.9", MAC: "02-00-00-00-00-0A", Model: "e1000"}, Request{Network: "lan", NoAddress: true, Address: "10.0.0.7"})
		nics := w.InterfacesOf(t.Context(), vm)
		require.Len(t, nics, 2)
		require.Equal(t, "10.0.0.9 02:00:00:00:00:0a e1000 0", fmt.Sprint(nics[0].Address, " ", nics[0].MAC, " ", nics[0].Model, " ", nics[0].Order))
		require.False(t, nics[1].Address.IsValid())
		require.Equal(t, "virtio", nics[1].Model)
		got, err := w.Interface(t.Context(), nics[1].ID)
		require.NoError(t, err)
		require.Equal(t, nics[1], got)
		_, err = w.Interface(t.Context(), n.ID)
		require.ErrorIs(t, err, fault.NotFound)
		require.Len(t, w.Interfaces(t.Context(), n.ID), 3)
		w.detach(t, used)
		require.Len(t, w.Interfaces(t.Context(), n.ID), 2)
	})
}

func TestTheSystemsRequestsMeanItsOwnNetworks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		w.made(t, lan())
		s := lan()
		s.Namespace = "system"
		own := w.made(t, s)
		wanted, err := w.Resolve(t.Context(), "system", []Request{{Network: "lan"}})
		require.NoError(t, err, "a tenant's network of the same name stands in the operators' way")
		require.Equal(t, own.ID, wanted[0].network.ID)
	})
}

func TestNobodyWaitsForTheNetworkOfThoseWhoCameLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		w.made(t, lan())
		first := w.attached(t, Request{Network: "lan"})
		synctest.Wait()
		w.wires.FailNext("Ensure", fault.New("test", fault.Unavailable, "", "not now"))
		second := w.attached(t, Request{Network: "lan"})
		synctest.Wait()
		ready, err := w.Ready(t.Context(), first)
		require.NoError(t, err)
		require.True(t, ready)
		_, err = w.Ready(t.Context(), second)
		require.ErrorContains(t, err, "not now")
		time.Sleep(time.Second)
		ready, err = w.Ready(t.Context(), second)
		require.NoError(t, err)
		require.True(t, ready)
	})
}

func TestANetworkThatIsBeingMadeIsNotReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		for range 100 {
			w.wires.FailNext("Ensure", fault.New("test", fault.Unavailable, "", "busy"))
		}
		n, err := w.Create(t.Context(), lan())
		require.NoError(t, err)
		_, err = w.attach(t, Request{Network: n.ID})
		require.ErrorIs(t, err, fault.NotReady)
		require.Contains(t, fault.Text(err), "is not ready (initial)")
	})
}

func TestAFullNetworkSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		s := lan()
		s.Netblock = "10.0.0.8/29"
		n := w.made(t, s)
		seen := map[netip.Addr]bool{}
		for range 5 {
			seen[w.address(t, w.attached(t, Request{Network: n.ID}))] = true
		}
		require.Len(t, seen, 5)
		_, err := w.attach(t, Request{Network: n.ID})
		require.ErrorIs(t, err, fault.Exhausted)
		require.Contains(t, fault.Text(err), "no free address in network "+n.ID+" (10.0.0.8/29): 8 of its addresses are in use")
		w.attached(t, Request{Network: n.ID, NoAddress: true})
	})
}

func TestAReleasedAddressRests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		s := lan()
		s.Netblock = "10.0.0.8/29"
		n := w.made(t, s)
		var vms []string
		for i := range 5 {
			vms = append(vms, w.attached(t, Request{Network: n.ID, Address: fmt.Sprint("10.0.0.", 10+i)}))
		}
		w.detach(t, vms[0]) // .10 rests
		_, err := w.attach(t, Request{Network: n.ID, Address: "10.0.0.10"})
		require.ErrorIs(t, err, fault.Conflict, "an address that rests was given away")
		time.Sleep(4 * time.Minute)
		w.detach(t, vms[1]) // .11 rests; .10 has rested for four minutes
		time.Sleep(time.Second)
		require.Equal(t, "10.0.0.10", w.address(t, w.attached(t, Request{Network: n.ID})).String(), "the one that rested longest, for want of others")
		require.Equal(t, "10.0.0.11", w.address(t, w.attached(t, Request{Network: n.ID})).String(), "any, when nothing else is left")
		_, err = w.attach(t, Request{Network: n.ID})
		require.ErrorIs(t, err, fault.Exhausted)

		w.detach(t, vms[2]) // .12
		time.Sleep(5 * time.Minute)
		require.Equal(t, "10.0.0.12", w.address(t, w.attached(t, Request{Network: n.ID, Address: "10.0.0.12"})).String())
	})
}

func TestAnAddressThatRestedIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		s := lan()
		s.Netblock = "10.0.0.0/16"
		n := w.made(t, s)
		for range 120 {
			w.detach(t, w.attached(t, Request{Network: n.ID}))
		}
		require.Len(t, w.Addresses(t.Context(), n.ID), 3+120, "resting")
		time.Sleep(5 * time.Minute)
		require.Len(t, w.Addresses(t.Context(), n.ID), 3, "rested long enough")
		time.Sleep(time.Minute)
		require.Len(t, keys(t, w.store, "o/ipam/"), 3, "whoever creates and deletes for long fills the memory")
		before := w.store.Stats().Commits
		time.Sleep(time.Hour / 2)
		require.Equal(t, before, w.store.Stats().Commits)
	})
}

func TestFreshAddressesComeBeforeRestedOnes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		s := lan()
		s.Netblock = "10.0.0.0/27" // 29 for guests
		n := w.made(t, s)
		var first []netip.Addr
		for range 14 {
			vm := w.attached(t, Request{Network: n.ID})
			first = append(first, w.address(t, vm))
			w.detach(t, vm)
		}
		for range 15 {
			a := w.address(t, w.attached(t, Request{Network: n.ID}))
			require.NotContains(t, first, a)
			first = append(first, a)
		}
		slices.SortFunc(first, netip.Addr.Compare)
		require.Len(t, slices.Compact(first), 29)
	})
}

func TestWithoutAHaloNothingRests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t, func(d *Deps) { d.Halo = -1 })
		n := w.made(t, lan())
		for range 3 {
			vm := w.attached(t, Request{Network: n.ID, Address: "10.0.0.7"})
			w.detach(t, vm)
			require.Len(t, w.Addresses(t.Context(), n.ID), 3)
		}
	})
}

// Two processes draw the same dice and ask for the same things: one commit wins each, the other draws again.
func TestRacersNeverShareAClaim(t *testing.T) {
	t.Parallel()
	s, fabric := memstore.New(), simnet.NewFabric()
	a := begin(t, s, "n1", fabric.Node(netip.MustParseAddr("192.0.2.1")))
	b := begin(t, s, "n2", fabric.Node(netip.MustParseAddr("192.0.2.2")))
	both := func(f func(w *world) error) [2]error {
		var errs [2]error
		var racers sync.WaitGroup
		for i, w := range []*world{a, b} {
			racers.Go(func() { errs[i] = f(w) })
		}
		racers.Wait()
		return errs
	}
	var mu sync.Mutex
	vxlans := map[int]int{}
	for seed := range 20 {
		a.sameDice(uint64(seed))
		b.sameDice(uint64(seed))
		for _, err := range both(func(w *world) error {
			n, err := w.Create(t.Context(), lan())
			mu.Lock()
			defer mu.Unlock()
			vxlans[n.VXLAN]++
			return err
		}) {
			require.NoError(t, err)
		}
	}
	require.Len(t, vxlans, 40, "two networks share a VXLAN identifier")

	s2 := lan()
	s2.Name = "race"
	n := a.made(t, s2)
	require.NoError(t, b.view.Fresh(t.Context()))
	for i := range 40 {
		want := Request{Network: n.ID, Address: fmt.Sprint("10.0.0.", i+20)}
		if i%2 == 1 {
			want = Request{Network: n.ID, NoAddress: true, MAC: fmt.Sprintf("02:00:00:00:01:%02x", i)}
		}
		errs := both(func(w *world) error {
			attach := w.attach
			if want.MAC != "" {
				attach = w.attachOnce // trying again can't help
			}
			_, err := attach(t, want)
			return err
		})
		lost := slices.IndexFunc(errs[:], func(err error) bool { return err != nil })
		require.GreaterOrEqual(t, lost, 0, "both won %+v", want)
		require.NoError(t, errs[1-lost])
		if want.MAC == "" {
			require.Equal(t, fault.Conflict, fault.KindOf(errs[lost]), errs[lost])
			continue
		}
		mac, taken := MACTaken(errs[lost]) // for which instance.Create has a word of its own
		require.True(t, taken, errs[lost])
		require.Equal(t, want.MAC, mac)
	}
	for seed := range 10 {
		a.sameDice(uint64(seed))
		b.sameDice(uint64(seed))
		for _, err := range both(func(w *world) error { _, err := w.attach(t, Request{Network: n.ID}); return err }) {
			require.NoError(t, err)
		}
	}
	seen := map[string]bool{}
	for _, i := range a.Interfaces(t.Context(), n.ID) {
		require.False(t, seen[i.MAC], "two interfaces share a MAC")
		seen[i.MAC] = true
		require.False(t, i.Address.IsValid() && seen[i.Address.String()], "two interfaces share an address")
		seen[i.Address.String()] = true
	}
}

func TestAttachingToANetworkThatIsBeingDeletedHasOneWinner(t *testing.T) {
	t.Parallel()
	s, fabric := memstore.New(), simnet.NewFabric()
	a := begin(t, s, "n1", fabric.Node(netip.MustParseAddr("192.0.2.1")))
	b := begin(t, s, "n2", fabric.Node(netip.MustParseAddr("192.0.2.2")))
	for range 50 {
		n := a.made(t, lan())
		require.NoError(t, b.view.Fresh(t.Context()))
		var vm string
		var attaching, deleting error
		var racers sync.WaitGroup
		racers.Go(func() { vm, attaching = b.attach(t, Request{Network: n.ID}) })
		racers.Go(func() { _, deleting = a.Delete(t.Context(), n.ID) })
		racers.Wait()
		require.NoError(t, deleting)
		require.NoError(t, a.view.Fresh(t.Context()))
		if attaching == nil {
			got, err := a.Get(t.Context(), n.ID)
			require.NoError(t, err)
			require.Equal(t, DeleteWait, got.State)
			b.detach(t, vm)
		} else {
			require.ErrorIs(t, attaching, fault.NotFound)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := a.Wait(ctx, n.ID, Deleted)
		cancel()
		require.NoError(t, err)
	}
}

func TestGuestsOfTwoNodesReachEachOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, fabric := memstore.New(), simnet.NewFabric()
		a := begin(t, s, "n1", fabric.Node(netip.MustParseAddr("192.0.2.1")))
		b := begin(t, s, "n2", fabric.Node(netip.MustParseAddr("192.0.2.2")), func(d *Deps) { d.Gateways = false })
		n := a.made(t, lan())
		require.NoError(t, b.view.Fresh(t.Context()))
		vmA, vmB := a.attached(t, Request{Network: n.ID}), b.attached(t, Request{Network: n.ID})
		synctest.Wait()
		macs := []string{}
		for w, vm := range map[*world]string{a: vmA, b: vmB} {
			mac := w.InterfacesOf(t.Context(), vm)[0].MAC
			w.wires.Plug(bridgeOf(n), mac)
			macs = append(macs, mac)
		}
		require.True(t, fabric.Reach(macs[0], macs[1]))
		for _, mac := range macs {
			_, ok := fabric.Offer(mac)
			require.True(t, ok)
		}
		b.detach(t, vmB)
		synctest.Wait()
		_, there := b.wires.Network(n.ID)
		require.False(t, there, "a node that needs the network no more keeps it")
		require.NoError(t, a.view.Fresh(t.Context()))
		a.detach(t, vmA)
		_, err := b.Delete(t.Context(), n.ID)
		require.NoError(t, err)
		a.wait(t, n.ID, Deleted)
	})
}

func bridgeOf(n Network) string {
	return driverID(row{ID: n.ID, Value: record{VXLAN: n.VXLAN}}).Bridge()
}
