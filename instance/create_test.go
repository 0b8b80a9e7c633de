package instance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/simulation"
)

func TestAnInstanceIsMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		n := w.lan(t)
		s := spec(instance.DiskSpec{Base: imageURL, SizeGiB: 3}, instance.DiskSpec{SizeGiB: 2, Bus: "sata"}, instance.DiskSpec{Base: imageURL, Type: "cdrom"})
		s.Networks = []network.Request{{Network: "lan"}, {Network: n.ID, NoAddress: true}}
		s.Metadata = map[string]any{"tags": []string{"web"}, "affinity": map[string]int{"db": 5}}
		i := w.made(t, s)
		require.Equal(t, "created on n1 pc", fmt.Sprint(i.State, " ", i.Power, " ", i.Node, " ", i.Machine))
		require.Empty(t, i.Error)
		require.Equal(t, map[string]any{"tags": []any{"web"}, "affinity": map[string]any{"db": 5.0}}, i.Metadata)
		var disks []string
		for _, d := range i.Resolved {
			disks = append(disks, fmt.Sprint(d.Device, " ", d.Bus, " ", d.SizeGiB, " ", d.Blob != "", d.NoSnapshot, d.CDROM))
		}
		require.Equal(t, []string{
			"vda virtio 3 true false false", "vdb virtio 0 false true false", "sdc sata 2 false false false", "sdd usb 0 true true true",
		}, disks)
		require.Equal(t, map[string]hypervisor.Power{i.ID: hypervisor.PowerOn}, w.domains(t))
		require.Equal(t, []string{i.ID, i.ID + "/console.log", i.ID + "/sdc", i.ID + "/vda", i.ID + "/vdb"}, w.files(t))
		require.Equal(t, "1 vcpus 64 MiB 5 GiB 1 instances", capacity(t, w.Store, "n1"))
		require.Equal(t, []string{"create request", "building began", "disks laid out", "created"}, w.messages(t, i.ID))
		console, err := w.Instances.Console(t.Context(), i.ID, -1)
		require.NoError(t, err)
		require.Contains(t, string(console), "SIM-BOOT 1 "+i.ID)
		for _, nic := range w.Networks.InterfacesOf(t.Context(), i.ID) {
			require.Equal(t, network.Created, nic.State)
			require.Contains(t, string(console), "mac="+nic.MAC+" bridge=br-vxlan-")
		}
		require.Equal(t, 1, w.Instances.Count()[instance.Created])
		synctest.Wait()
		require.Empty(t, w.Instances.Busy())

		w.deleted(t, i.ID)
		require.Empty(t, w.domains(t))
		require.Empty(t, w.files(t))
		require.Empty(t, claims(t, w.Store))
		require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, w.Store, "n1"))
		w.deleted(t, i.ID)
		time.Sleep(time.Hour + time.Minute)
		_, err = w.Instances.Get(t.Context(), i.ID)
		require.ErrorIs(t, err, fault.NotFound)
		require.Empty(t, w.messages(t, i.ID))
		for key := range dump(t, w.Store) {
			require.NotContains(t, key, i.ID, "a record stays for ever")
		}
	})
}

// What a create leaves behind when it fails: nothing, whichever way.
func TestAFailedCreateLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts := simulation.New()
		parts.Hypervisor = simhv.New(simhv.Options{CPUs: 4, MaxVCPUs: 4})
		w := begin(t, parts, t.TempDir(), func(c *shakenfist.Config) {
			c.Limits.CPURatio, c.Limits.MemoryRatio, c.Limits.DiskRatio, c.Limits.MinimumFreeDiskBytes = 1, 1, 10, 0
		})
		n := w.lan(t)
		full, err := w.Networks.CreateAndWait(t.Context(), network.Spec{Name: "full", Namespace: "system", Netblock: "10.1.0.0/29"})
		require.NoError(t, err)
		used := spec()
		used.Networks = []network.Request{{Network: "lan", Address: "10.0.0.7", MAC: "02:00:00:00:00:07"}}
		for range 5 {
			used.Networks = append(used.Networks, network.Request{Network: full.ID})
		}
		w.made(t, used)
		synctest.Wait()
		w.Network.FailNext("Ensure", fault.New("test", fault.Invalid, "", "no"))
		broken, err := w.Networks.Create(t.Context(), network.Spec{Name: "broken", Namespace: "system", Netblock: "10.2.0.0/29"})
		require.NoError(t, err)
		_, err = w.Networks.Wait(t.Context(), broken.ID, network.Error)
		require.NoError(t, err)
		synctest.Wait()
		for name, c := range map[string]struct {
			change func(*instance.Spec)
			kind   fault.Kind
			text   string
		}{
			"an invalid field":     {func(s *instance.Spec) { s.CPUs = 0 }, fault.Invalid, "cpus"},
			"no such namespace":    {func(s *instance.Spec) { s.Namespace = "nobody" }, fault.NotFound, "namespace not found"},
			"no such network":      {func(s *instance.Spec) { s.Networks[1].Network = "wan" }, fault.NotFound, "network not found"},
			"a broken network":     {func(s *instance.Spec) { s.Networks[1].Network = "broken" }, fault.Conflict, "is not usable"},
			"an address in use":    {func(s *instance.Spec) { s.Networks[1].Address = "10.0.0.7" }, fault.Conflict, "address 10.0.0.7 is in use"},
			"an address elsewhere": {func(s *instance.Spec) { s.Networks[1].Address = "10.9.0.7" }, fault.Invalid, "address 10.9.0.7 is not in the netblock"},
			"a MAC in use":         {func(s *instance.Spec) { s.Networks[1].MAC = "02-00-00-00-00-07" }, fault.Conflict, "macaddress 02:00:00:00:00:07 is in use"},
			"a full network":       {func(s *instance.Spec) { s.Networks[1].Network = "full" }, fault.Exhausted, "no free address in network " + full.ID},
			"no such node":         {func(s *instance.Spec) { s.PlacedOn = "n9" }, fault.NotFound, `no node is named "n9"`},
			"no room":              {func(s *instance.Spec) { s.CPUs = 4 }, fault.Exhausted, "n1 "},
			"bad metadata":         {func(s *instance.Spec) { s.Metadata = map[string]any{"x": nil} }, fault.Invalid, `metadata key "x"`},
			"bad affinity":         {func(s *instance.Spec) { s.Metadata = map[string]any{"affinity": 7} }, fault.Invalid, "affinity"},
			"a bad URL":            {func(s *instance.Spec) { s.Disks[1].Base = "gopher://x/y" }, fault.Invalid, "gopher"},
			"more than one commit": {func(s *instance.Spec) { s.Disks = manyImages(instance.MaxDisks); s.Networks = manyNICs(n) }, fault.Invalid, "too large"},
			"a store that fails": {func(*instance.Spec) {
				w.Store.FailNext("Commit", fault.New("test", fault.Unavailable, "", "store away"))
			}, fault.Unavailable, "store away"},
			"a store that is full":   {func(*instance.Spec) { w.Store.FailNext("Commit", fault.New("test", fault.Exhausted, "", "store full")) }, fault.Exhausted, "store full"},
			"much metadata, in sum":  {func(s *instance.Spec) { s.Metadata = map[string]any{"k": strings.Repeat("x", 1<<17)} }, fault.Invalid, "metadata"},
			"a MAC that is no MAC":   {func(s *instance.Spec) { s.Networks[1].MAC = "x" }, fault.Invalid, "macaddress"},
			"a model that is no NIC": {func(s *instance.Spec) { s.Networks[1].Model = "x" }, fault.Invalid, "model"},
		} {
			before := dump(t, w.Store)
			s := spec(instance.DiskSpec{Base: imageURL}, instance.DiskSpec{SizeGiB: 1})
			s.Networks = []network.Request{{Network: "lan"}, {Network: "lan"}}
			c.change(&s)
			if !strings.HasPrefix(name, "a store") && name != "no room" {
				_, err = w.Instances.DryRun(t.Context(), s)
				require.Equal(t, c.kind, fault.KindOf(err), "%s, tried: %v", name, err)
				require.Contains(t, fault.Text(err), c.text, name)
			}
			_, err := w.Instances.Create(t.Context(), s)
			require.Equal(t, c.kind, fault.KindOf(err), "%s: %v", name, err)
			require.Contains(t, fault.Text(err), c.text, name)
			require.Equal(t, before, dump(t, w.Store), "%s: something was left behind", name)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before := dump(t, w.Store)
		_, err = w.Instances.Create(ctx, spec())
		require.Error(t, err)
		require.Equal(t, before, dump(t, w.Store))
		require.Len(t, w.domains(t), 1)
		require.Equal(t, 1, len(w.Instances.List(t.Context(), instance.Filter{All: true})))
	})
}

func manyImages(n int) []instance.DiskSpec {
	disks := make([]instance.DiskSpec, n)
	for i := range disks {
		disks[i].Base = fmt.Sprint("http://images.example/", i)
	}
	return disks
}

func manyNICs(n network.Network) []network.Request {
	nics := make([]network.Request, instance.MaxNICs)
	for i := range nics {
		nics[i].Network = n.ID
	}
	return nics
}

func TestTheLargestInstanceComesAndGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		n := w.lan(t)
		s := spec(make([]instance.DiskSpec, instance.MaxDisks)...)
		for i := range s.Disks {
			s.Disks[i].SizeGiB = 1
		}
		s.Disks[7].Base, s.Disks[9].Base = imageURL, imageURL
		s.Networks, s.Metadata = manyNICs(n), map[string]any{"k": strings.Repeat("x", 60<<10)}
		s.UserData = strings.Repeat("QUFB", instance.MaxUserData/3)
		i := w.made(t, s)
		require.Len(t, i.Resolved, instance.MaxDisks+1)
		w.deleted(t, i.ID)
		require.Empty(t, claims(t, w.Store))
	})
}

func TestManyImagesComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		s := spec(manyImages(20)...)
		i := w.made(t, s)
		w.deleted(t, i.ID)
		require.Empty(t, claims(t, w.Store))
	})
}

func TestNetworksThatAreBeingMadeAreNotReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		for range 10 {
			w.Network.FailNext("Ensure", fault.New("test", fault.Unavailable, "", "busy"))
		}
		_, err := w.Networks.Create(t.Context(), network.Spec{Name: "lan", Namespace: "system", Netblock: "10.0.0.0/24"})
		require.NoError(t, err)
		s := spec()
		s.Networks = []network.Request{{Network: "lan"}}
		_, err = w.Instances.Create(t.Context(), s)
		require.ErrorIs(t, err, fault.NotReady)
	})
}

func TestNamesFindInstances(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		_, err := w.Namespaces.Create(t.Context(), "rival", "", "")
		require.NoError(t, err)
		a := w.made(t, spec())
		s := spec()
		s.Namespace = "rival"
		b := w.made(t, s)
		got, err := w.Instances.Find(t.Context(), "rival", "vm")
		require.NoError(t, err)
		require.Equal(t, b.ID, got.ID)
		_, err = w.Instances.Find(t.Context(), "rival", a.ID)
		require.ErrorIs(t, err, fault.NotFound)
		_, err = w.Instances.Find(t.Context(), "system", "vm")
		require.ErrorIs(t, err, fault.Invalid)
		w.deleted(t, b.ID)
		got, err = w.Instances.Find(t.Context(), "system", "vm")
		require.NoError(t, err)
		require.Equal(t, a.ID, got.ID)
		require.Len(t, w.Instances.List(t.Context(), instance.Filter{Namespace: "rival"}), 0)
		require.Len(t, w.Instances.List(t.Context(), instance.Filter{Namespace: "rival", All: true}), 1)
		require.Len(t, w.Instances.List(t.Context(), instance.Filter{}), 1)
	})
}
