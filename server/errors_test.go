package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store/memstore"
)

const nothing = "11111111-2222-4333-8444-555555555555"

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, path := range []string{
		"/instances/" + nothing, "/instances/nameless", "/instances/..", "/networks/" + nothing, "/networks/nameless", "/interfaces/" + nothing,
		"/artifacts/" + nothing, "/artifacts/nameless", "/blobs/" + nothing, "/nodes/nowhere", "/nodes/nowhere/events", "/auth/namespaces/nowhere",
		"/instances/" + nothing + "/events", "/networks/nameless/addresses", "/artifacts/nameless/versions", "/auth/namespaces/nowhere/keys",
		"/nowhere", "/instances/a/b/c", "/api/api", "/apidocs", "/images", "/admin/locks",
	} {
		l.wantError(l.send(http.MethodGet, path, "system", nil), http.StatusNotFound, "not found")
	}
	l.wantError(l.send(http.MethodDelete, "/auth/namespaces/nowhere", "system", nil), http.StatusNotFound, "namespace not found")
	l.wantError(l.send(http.MethodDelete, "/auth/namespaces/demo/keys/nokey", "demo", nil), http.StatusNotFound, "key name not found in namespace")
	l.wantError(l.send(http.MethodPut, "/auth/namespaces/demo/keys/nokey", "demo", map[string]any{"key": "x"}), http.StatusNotFound, "key does not exist")
}

func TestNamespaceErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		words        string
	}{
		{http.MethodPost, "/auth/namespaces", nil, 400, "no namespace specified"},
		{http.MethodPost, "/auth/namespaces", map[string]any{"namespace": "demo"}, 403, "namespace exists"},
		{http.MethodPost, "/auth/namespaces", map[string]any{"namespace": "new", "key_name": "k"}, 400, "no key specified"},
		{http.MethodPost, "/auth/namespaces", map[string]any{"namespace": "new", "key_name": "k", "key": 1}, 400, "key is not a string"},
		{http.MethodPost, "/auth/namespaces", map[string]any{"namespace": "new", "key_name": "_service_key_x", "key": "k"}, 403, "illegal key name"},
		{http.MethodPost, "/auth/namespaces", map[string]any{"namespace": "a/b"}, 400, "namespace"},
		{http.MethodDelete, "/auth/namespaces/system", nil, 403, "you cannot delete the system namespace"},
		{http.MethodPost, "/auth/namespaces/demo/keys", map[string]any{"key": "k"}, 400, "no key name specified"},
		{http.MethodPost, "/auth/namespaces/demo/keys", map[string]any{"key_name": "k"}, 400, "no key specified"},
		{http.MethodPost, "/auth/namespaces/demo/keys", map[string]any{"key_name": "_service_key_x", "key": "k"}, 403, "illegal key name"},
		{http.MethodPut, "/auth/namespaces/demo/keys", map[string]any{"key_name": "k", "key": "k"}, 404, "key does not exist"},
	} {
		l.wantError(l.send(c.method, c.path, "system", c.body), c.status, c.words)
	}
	l.wantError(l.send(http.MethodGet, "/auth/namespaces/new", "system", nil), 404, "namespace not found") // checks come before making
	l.makeNetwork("demo", "lan")
	l.wantError(l.send(http.MethodDelete, "/auth/namespaces/demo", "system", nil), 400, "you cannot delete a namespace with networks")
	l.makeInstance("other")
	l.wantError(l.send(http.MethodDelete, "/auth/namespaces/other", "system", nil), 400, "you cannot delete a namespace with instances")
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, c := range []struct {
		body   map[string]any
		status int
		words  string
	}{
		{map[string]any{"name": "n"}, 400, "netblock"},
		{map[string]any{"name": "n", "netblock": "10.0.0.0/30"}, 400, "netblock"},
		{map[string]any{"name": "n", "netblock": "10.0.0.1/24"}, 400, "netblock"},
		{map[string]any{"name": "n", "netblock": "ten"}, 400, "netblock"},
		{map[string]any{"name": "n", "netblock": "10.0.0.0/24", "namespace": "other"}, 401, "unauthorized"},
		{map[string]any{"name": "n", "netblock": "10.0.0.0/24", "colour": "red"}, 400, "colour"},
	} {
		l.wantError(l.send(http.MethodPost, "/networks", "demo", c.body), c.status, c.words)
	}
	l.wantError(l.send(http.MethodPost, "/networks", "system",
		map[string]any{"name": "n", "netblock": "10.0.0.0/24", "namespace": "nowhere"}), 404, "namespace not found")
	foreign := get[api.Network](l, http.MethodPost, "/networks", "system", map[string]any{"name": "n", "netblock": "10.0.0.0/24", "namespace": "other"})
	if foreign.Namespace != "other" {
		t.Errorf("system made a network in %s", foreign.Namespace)
	}
	if n := get[api.Network](l, http.MethodPost, "/networks", "demo", map[string]any{"netblock": "10.0.0.0/24"}); n.Name != "" {
		t.Errorf("a network that was given no name is called %q", n.Name)
	}
	l.makeNetwork("demo", "twin")
	l.makeNetwork("demo", "twin")
	l.wantError(l.send(http.MethodGet, "/networks/twin", "demo", nil), 400, `multiple networks have the name "twin" in namespace "demo"`)
	l.wantError(l.send(http.MethodGet, "/networks/twin", "other", nil), 404, "network not found")
	l.wantError(l.send(http.MethodGet, "/networks/"+foreign.UUID, "system", map[string]any{"namespace": "demo"}), 404, "network not found")
}

func TestInstanceErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeNetwork("demo", "lan")
	l.makeNetwork("other", "theirs")
	for _, c := range []struct {
		name   string
		field  string
		value  any
		status int
		words  string
	}{
		{"no name", "name", nil, 400, "name"},
		{"a name with a dot", "name", "a.b", 400, "name"},
		{"no cpus", "cpus", nil, 400, "cpus"},
		{"negative cpus", "cpus", -1, 400, "cpus"},
		{"memory as a word", "memory", "much", 400, "memory is not an integer"},
		{"no memory", "memory", 0, 400, "memory"},
		{"no disk", "disk", nil, 400, "instance must specify at least one disk"},
		{"an empty list of disks", "disk", []any{}, 400, "instance must specify at least one disk"},
		{"a disk as text", "disk", []any{"8"}, 400, "disk 0 is not an object"},
		{"an unknown bus", "disk", []any{map[string]any{"size": 1, "bus": "floppy"}}, 400, "invalid disk bus floppy"},
		{"a size as a word", "disk", []any{map[string]any{"size": 1}, map[string]any{"size": "big"}}, 400, "disk 1: size is not an integer"},
		{"an unknown word in a disk", "disk", []any{map[string]any{"size": 1, "colour": 1}}, 400, "colour"},
		{"a foreign namespace", "namespace", "other", 404, "namespace not found"},
		{"an unknown namespace", "namespace", "nowhere", 404, "namespace not found"},
		{"an unknown node", "placed_on", "nowhere", 404, "Specified node does not exist"},
		{"secure boot without UEFI", "secure_boot", true, 400, "uefi"},
		{"a template for NVRAM", "nvram_template", "label:x", 400, "nvram_template"},
		{"an unknown config drive", "configdrive", "floppy", 400, "configdrive"},
		{"user data that is no base64", "user_data", "###", 400, "user_data"},
		{"metadata as a list", "metadata", []any{1}, 400, "metadata is not an object"},
		{"metadata as a text", "metadata", "tags", 400, "metadata is not an object"},
		{"tags that are no list", "metadata", map[string]any{"tags": "web"}, 400, "tags"},
		{"a number that is none in metadata", "metadata", json.RawMessage(`{"n": 1e400}`), 400, `metadata key "n"`},
		{"an empty value in metadata", "metadata", map[string]any{"n": 0}, 400, "no value specified"},
		{"a number as side channel", "side_channels", []any{1}, 400, "side_channels 0 is not a string"},
		{"video without model", "video", map[string]any{"memory": 1}, 400, `video specification requires "model"`},
		{"video without memory", "video", map[string]any{"model": "vga"}, 400, `video specification requires "memory"`},
		{"an unknown card", "video", map[string]any{"model": "voodoo", "memory": 1}, 400, "video"},
		{"a network as text", "network", []any{"lan"}, 400, "network 0 is not an object"},
		{"a network without name", "network", []any{map[string]any{"float": false}}, 400, "network_uuid"},
		{"an unknown network", "network", []any{map[string]any{"network_uuid": "nowhere"}}, 404, "not found"},
		{"a foreign network", "network", []any{map[string]any{"network_uuid": "theirs"}}, 404, "not found"},
		{"an address outside", "network", []any{map[string]any{"network_uuid": "lan", "address": "10.1.0.1"}}, 400, "address"},
		{"an address in use", "network", []any{map[string]any{"network_uuid": "lan", "address": "10.0.0.1"}}, 409, "10.0.0.1"},
		{"an address as number", "network", []any{map[string]any{"network_uuid": "lan", "address": 7}}, 400, "address is not a string"},
		{"a floating address", "network", []any{map[string]any{"network_uuid": "lan", "float": true}}, 400, "float"},
		{"an unknown model", "network", []any{map[string]any{"network_uuid": "lan", "model": "ne1000"}}, 400, "model"},
		{"more memory than there is", "memory", 1 << 29, 507, "MiB"},
		{"an unknown argument", "colour", "red", 400, "colour"},
	} {
		body := blankInstance()
		body[c.field] = c.value
		t.Log(c.name)
		l.wantError(l.send(http.MethodPost, "/instances", "demo", body), c.status, c.words)
	}
	if list := get[[]api.Instance](l, http.MethodGet, "/instances?all=1", "system", nil); len(list) != 0 {
		t.Errorf("%d instances were left by requests that failed", len(list))
	}
}

func TestInstanceThatIsNotReady(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.loops.Lock()
	net := get[api.Network](l, http.MethodPost, "/networks", "demo", map[string]any{"name": "lan", "netblock": "10.0.0.0/24"})
	l.wantError(l.send(http.MethodPost, "/instances", "demo", blankInstance(map[string]any{"network_uuid": "lan"})),
		http.StatusNotAcceptable, "not ready")
	nowhere := blankInstance(map[string]any{"network_uuid": "lan"})
	nowhere["placed_on"] = "nowhere"
	l.wantError(l.send(http.MethodPost, "/instances", "demo", nowhere), http.StatusNotFound, "Specified node does not exist")
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", blankInstance())
	l.wantError(l.send(http.MethodPost, "/instances/web1/poweron", "demo", nil), http.StatusNotAcceptable, "instance "+vm.UUID+" is not ready (initial)")
	l.loops.Unlock()
	l.waitNetwork(net.UUID, network.Created)
	l.waitInstance(vm.UUID, instance.Created)
	l.golden("instance-poweron", http.MethodPost, "/instances/web1/poweron", "demo", nil)
	l.wantError(l.send(http.MethodGet, "/instances/web1/consoledata", "demo", map[string]any{"length": "x"}), 400, "length is not an integer")
	l.wantError(l.send(http.MethodGet, "/instances/web1/consoledata", "demo", map[string]any{"length": -2}), 400, "length")
	l.wantError(l.send(http.MethodDelete, "/instances/web1", "demo", map[string]any{"namespace": "other"}), 404, "instance not found in namespace")
	get[api.Instance](l, http.MethodDelete, "/instances/web1", "demo", nil)
	l.waitInstance(vm.UUID, instance.Deleted)
	l.wantError(l.send(http.MethodDelete, "/instances/"+vm.UUID, "demo", nil), 404, "instance not found")
	// Clients repeat what is answered with 406 for an hour, so what can never work must not be.
	l.wantError(l.send(http.MethodPost, "/instances/"+vm.UUID+"/poweron", "demo", nil), http.StatusConflict, "is not ready (deleted)")
	l.wantError(l.send(http.MethodGet, "/instances/web1", "demo", nil), 404, "instance not found")
}

func TestInstanceErrorIsShown(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.guests.FailNext("MakeDisk", fault.New("test", fault.Invalid, "", "the disk is cursed"))
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", blankInstance())
	l.waitInstance(vm.UUID, instance.Error)
	got := get[api.Instance](l, http.MethodGet, "/instances/web1", "demo", nil)
	if got.State != "error" || got.ErrorMessage == nil || !strings.Contains(*got.ErrorMessage, "the disk is cursed") {
		t.Errorf("state %s, error %v", got.State, got.ErrorMessage)
	}
	l.wantError(l.send(http.MethodPost, "/instances/web1/poweroff", "demo", nil), http.StatusConflict, "is not ready (error)")
}

func TestArtifactErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, c := range []struct {
		body   any
		status int
		words  string
	}{
		{nil, 400, "missing url in request"},
		{map[string]any{"url": "ftp://host/x"}, 400, "url"},
		{map[string]any{"url": l.images, "shared": true}, 403, "only the system namespace can create shared artifacts"},
		{map[string]any{"url": l.images, "namespace": "other"}, 404, "namespace not found"},
	} {
		l.wantError(l.send(http.MethodPost, "/artifacts", "demo", c.body), c.status, c.words)
	}
	made := get[api.Artifact](l, http.MethodPost, "/artifacts", "system", map[string]any{"url": l.images + "/disk?token=hidden", "shared": true})
	l.waitArtifact(made.UUID)
	seen := get[api.Artifact](l, http.MethodGet, "/artifacts/disk", "demo", nil)
	if seen.UUID != made.UUID || strings.Contains(seen.SourceURL, "hidden") || !strings.Contains(made.SourceURL, "hidden") {
		t.Errorf("a shared artifact is seen as %+v", seen)
	}
	l.wantError(l.send(http.MethodDelete, "/artifacts/"+made.UUID, "demo", nil), 404, "artifact not found")
	get[api.Artifact](l, http.MethodDelete, "/artifacts/"+made.UUID, "system", nil)
}

func TestStoreThatIsAwayIsSaid(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	token := "Bearer " + l.token("demo")
	away := fault.New("test", fault.Unavailable, "", "the state store does not answer")
	l.state.FailNext("Get", away)
	a := l.send(http.MethodGet, "/instances", "", nil, "Authorization", token)
	l.wantError(a, http.StatusServiceUnavailable, "the state store does not answer")
	l.state.FailNext("Get", away)
	l.wantError(l.send(http.MethodGet, "/readyz", "", nil), http.StatusServiceUnavailable, "not ready: the state store does not answer")
	l.state.FailNext("Get", away)
	if a := l.send(http.MethodGet, "/healthz", "", nil); a.status != http.StatusOK {
		t.Errorf("the process does not live: %d", a.status)
	}
	if !strings.Contains(l.log.String(), a.header.Get(api.HeaderRequestID)) {
		t.Error("the failed request's ID is not in the log")
	}
	l.wantError(l.send(http.MethodGet, "/readyz", "", nil), http.StatusServiceUnavailable, "not ready")
	if a := l.send(http.MethodGet, "/readyz", "", nil); a.status != http.StatusOK {
		t.Errorf("the store is back, but: %d %s", a.status, a.body)
	}
}

func TestCloudThatDoesNotRunIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New()
		cloud, err := shakenfist.New(shakenfist.Config{
			State: memstore.New(), Hypervisor: simhv.New(simhv.Options{Switch: net}), Network: net, Dir: t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		handler := New(cloud, Options{})
		for path, status := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 503, "/instances": 503, "/nowhere": 404, "/metrics": 200} {
			w := httptest.NewRecorder()
			start := time.Now()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != status || time.Since(start) > starting {
				t.Errorf("%s: %d %s after %v", path, w.Code, w.Body, time.Since(start))
			}
		}
	})
}

func TestServerThatLacksMoreSaysWhat(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(o *Options) { o.Ready = func() error { return errors.New("the key is missing") } })
	l.wantError(l.send(http.MethodGet, "/readyz", "", nil), http.StatusServiceUnavailable, "not ready: the key is missing")
}

func TestOnlyTheServersOwnFaultsAreLoggedAsErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	huge := blankInstance()
	huge["memory"] = 1 << 29
	l.wantError(l.send(http.MethodPost, "/instances", "demo", huge), 507, "MiB")
	l.wantError(l.send(http.MethodGet, "/instances/none", "demo", nil), 404, "not found")
	if log := l.log.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "status=507") {
		t.Errorf("what a caller did wrong is no error of the server, but is in the log for who looks: %s", log)
	}
}
