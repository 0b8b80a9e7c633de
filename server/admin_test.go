package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
)

// join starts another node of the lab's cloud. The function it returns stops it.
func (l *lab) join(name string) (stop func() error) {
	l.t.Helper()
	net := simnet.New()
	cloud, err := shakenfist.New(shakenfist.Config{
		State: l.state, Hypervisor: simhv.New(simhv.Options{Switch: net, CPUs: 4, MemoryMiB: 6144, DiskGiB: 100}), Network: net,
		Node: name, Dir: l.t.TempDir(), HashCost: 4,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	stop = cloud.Start(context.Background())
	l.t.Cleanup(func() {
		if err := stop(); err != nil {
			l.t.Error(err)
		}
	})
	if err := cloud.Ready(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	return stop
}

// cameAndWent makes a node that has left.
func (l *lab) cameAndWent(name string) {
	l.t.Helper()
	if err := l.join(name)(); err != nil {
		l.t.Fatal(err)
	}
}

func TestADeletedNodeIsGoneForItsInstances(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	stop := l.join("node-2")
	a := l.send(http.MethodPost, "/instances", "demo", map[string]any{
		"name": "web", "cpus": 1, "memory": 512, "disk": []any{map[string]any{"size": 1}}, "network": []any{}, "placed_on": "node-2",
	})
	require.Equal(t, http.StatusOK, a.status, string(a.body))
	var i api.Instance
	require.NoError(t, json.Unmarshal(a.body, &i))
	l.waitInstance(i.UUID, instance.Created)
	require.NoError(t, stop())
	require.Equal(t, "stopped", get[api.Node](l, http.MethodGet, "/nodes/node-2", "system", nil).State)

	require.Equal(t, "deleted", get[api.Node](l, http.MethodDelete, "/nodes/node-2", "system", nil).State)
	l.waitInstance(i.UUID, instance.Error)
	require.Equal(t, "error", get[api.Instance](l, http.MethodGet, "/instances/web", "demo", nil).State)
	l.wantError(l.send(http.MethodPost, "/instances", "demo", map[string]any{
		"name": "x", "cpus": 1, "memory": 512, "disk": []any{map[string]any{"size": 1}}, "placed_on": "node-2",
	}), http.StatusNotFound, "node-2 is deleted")
	l.join("node-2")
	require.Equal(t, "created", get[api.Node](l, http.MethodGet, "/nodes/node-2", "system", nil).State)
	require.Equal(t, http.StatusOK, l.send(http.MethodDelete, "/instances/web", "demo", nil).status)
	l.waitInstance(i.UUID, instance.Deleted)
}

func TestOnlyOneNodeIsTheMaintainer(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.join("node-0")
	maintainers := map[string]bool{}
	for _, n := range get[[]api.Node](l, http.MethodGet, "/nodes", "system", nil) {
		maintainers[n.Name] = n.IsClusterMaintainer
	}
	require.Equal(t, map[string]bool{"node-0": true, "node-1": false}, maintainers)
}

func TestLocksAreLeasesAndWorkThatIsUnderWay(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.join("node-0")
	n := l.makeNetwork("demo", "lan")
	guests := l.makeInstance("demo", map[string]any{"network_uuid": n})
	l.waitInstance(guests, instance.Created)
	locks := func() map[string]api.Lock {
		return get[map[string]api.Lock](l, http.MethodGet, "/admin/locks", "system", nil)
	}
	idle := []string{"/sflocks/sf/cluster/", "/sflocks/sf/node/node-0", "/sflocks/sf/node/node-1"}
	all := locks()
	require.Equal(t, idle, slices.Sorted(maps.Keys(all)))
	require.Equal(t, "node-0", all["/sflocks/sf/cluster/"].Node)
	require.Equal(t, os.Getpid(), all["/sflocks/sf/node/node-1"].PID)

	reads := l.state.Stats()
	locks()
	now := l.state.Stats()
	require.Equal(t, reads.Lists, now.Lists)
	require.LessOrEqual(t, now.Gets, reads.Gets+1, "more was read of the store than its head")

	for range 5000 {
		l.guests.FailNext("Remove", fault.New("test", fault.Unavailable, "", "away"))
	}
	require.Equal(t, http.StatusOK, l.send(http.MethodDelete, "/instances/"+guests, "demo", nil).status)
	require.Equal(t, http.StatusOK, l.send(http.MethodDelete, "/networks/"+n, "demo", nil).status)
	all = locks()
	require.Equal(t, api.Lock{Node: "node-1", PID: os.Getpid(), Operation: "delete"}, all["/sflocks/sf/instance/"+guests])
	require.Equal(t, api.Lock{Node: "node-1", PID: os.Getpid(), Operation: "delete"}, all["/sflocks/sf/network/"+n])

	l.loops.Lock() // what is wanted is not begun
	defer l.loops.Unlock()
	a := l.send(http.MethodPost, "/artifacts", "demo", map[string]any{"url": l.images + "/disk.raw"})
	require.Equal(t, http.StatusOK, a.status)
	var image api.Artifact
	require.NoError(t, json.Unmarshal(a.body, &image))
	require.Equal(t, "fetch", locks()["/sflocks/sf/artifact/"+image.UUID].Operation)
}

func TestResourcesArePromises(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	stop := l.join("node-2")
	a := l.send(http.MethodPost, "/instances", "demo", map[string]any{
		"name": "web", "cpus": 3, "memory": 1024, "disk": []any{map[string]any{"size": 40}}, "placed_on": "node-2",
	})
	require.Equal(t, http.StatusOK, a.status, string(a.body))
	var i api.Instance
	require.NoError(t, json.Unmarshal(a.body, &i))
	l.waitInstance(i.UUID, instance.Created)
	all := get[api.Resources](l, http.MethodGet, "/admin/resources", "system", nil)
	require.Equal(t, api.NodeResources{ // 4 CPUs times 16, 6 GiB less 2 times 3, 100 GiB times 10
		CPUMaxPerInstance: 64, CPUAvailable: 61, RAMMaxPerInstance: 4096, RAMMax: 12288, RAMAvailable: 11264,
		DiskAvailable: 960, InstancesTotal: 1, InstancesActive: 1,
	}, all.PerNode["node-2"])
	one := all.PerNode["node-1"]
	require.Equal(t, one.CPUAvailable+61, all.Total.CPUAvailable)
	require.Equal(t, one.RAMAvailable+11264, all.Total.RAMAvailable)

	require.NoError(t, stop())
	all = get[api.Resources](l, http.MethodGet, "/admin/resources", "system", nil)
	require.Len(t, all.PerNode, 1, "a node that takes no instances has nothing to give")
	require.Equal(t, one.CPUAvailable, all.Total.CPUAvailable)
}

func TestMetricsHaveTheNodesFigures(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	page := "\n" + string(l.send(http.MethodGet, "/metrics", "", nil).body)
	for _, line := range []string{
		"cpu_max 128", "cpu_load_1 0", "memory_max 2.097152e+06", "disk_free_blobs 1.125899906842624e+15", "instances_total 0",
		"is_hypervisor 1", "network_read_bytes 0", "node_queue_waiting 0",
	} {
		require.Contains(t, page, "\n"+line+"\n")
	}
}

// authority returns a certificate and its key, in PEM.
func authority(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cloud"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func TestTheCACertificateIsShownAndNothingElse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca-cert.pem")
	l := newLab(t, func(o *Options) { o.CACert = file })
	first, key := authority(t)
	second, _ := authority(t)
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	for _, c := range []struct {
		name          string
		content, want []byte
		logged        string
	}{
		{"nothing is there", nil, nil, ""},
		{"one", first, first, ""},
		{"a chain", slices.Concat(first, second), slices.Concat(first, second), ""},
		{"text around it", slices.Concat([]byte("Certificate:\n  Data:\n"), first, []byte("\nend\n")), first, ""},
		{"a key beside it", slices.Concat(key, first), first, ""},
		{"a key alone", key, nil, "holds no certificate"},
		{"something else", []byte("hello"), nil, "holds no certificate"},
		{"a broken one", slices.Concat(first, broken), nil, "cannot be read"},
		{"too much to be one", bytes.Repeat([]byte("x"), 2<<20), nil, "holds no certificate"},
	} {
		if c.content != nil {
			require.NoError(t, os.WriteFile(file, c.content, 0o600), c.name)
		}
		before := len(l.log.String())
		a := l.send(http.MethodGet, "/admin/cacert", "demo", nil)
		logged := l.log.String()[before:]
		require.Equal(t, http.StatusOK, a.status, c.name)
		require.Equal(t, "text/plain", a.header.Get("Content-Type"))
		require.Equal(t, string(c.want), string(a.body), c.name)
		require.Equal(t, c.logged != "", strings.Contains(logged, "certificate of their authority"), c.name)
		require.Contains(t, logged, c.logged, c.name)
	}
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o755))
	require.Empty(t, l.send(http.MethodGet, "/admin/cacert", "other", nil).body)
	l.wantError(l.send(http.MethodGet, "/admin/cacert", "", nil), http.StatusUnauthorized, "")
}

func TestAdministrationIsForTheSystem(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, path := range []string{"/admin/locks", "/admin/resources", "/nodes", "/nodes/node-1", "/nodes/node-1/processmetrics", "/nodes/nowhere/processmetrics"} {
		l.wantError(l.send(http.MethodGet, path, "demo", nil), http.StatusUnauthorized, "unauthorized")
	}
	l.wantError(l.send(http.MethodDelete, "/nodes/node-1", "demo", nil), http.StatusUnauthorized, "unauthorized")
	l.wantError(l.send(http.MethodDelete, "/nodes/nowhere", "demo", nil), http.StatusUnauthorized, "unauthorized")
}
