package server

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance"
)

// TestRequestsOfThePythonClient sends what the command line of many years sends.
func TestRequestsOfThePythonClient(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeNetwork("demo", "lan")
	const create = `{"name": "web1", "cpus": 1, "memory": 128, "network": [{"network_uuid": "lan", "address": "10.0.0.9", "float": false}],
		"disk": [{"size": 1, "base": null, "bus": null, "type": "disk"}], "ssh_key": null, "user_data": null, "namespace": null,
		"video": {"model": "cirrus", "memory": "16384", "vdi": "spice"}, "uefi": false, "configdrive": null, "metadata": null,
		"nvram_template": null, "secure_boot": false, "side_channels": []}`
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", create)
	if vm.Video.Memory != 16384 || len(vm.SideChannels) != 0 || *vm.Interfaces[0].IPv4 != "10.0.0.9" {
		t.Errorf("got %+v", vm)
	}
	if vm.State != "initial" && vm.State != "creating" && vm.State != "created" {
		t.Errorf("state %s would end the client's wait", vm.State)
	}
	l.waitInstance(vm.UUID, instance.Created)
	for _, c := range []struct{ method, path, body string }{
		{http.MethodGet, "/instances", `{"all": false}`},
		{http.MethodGet, "/instances/web1", `{"namespace": null}`},
		{http.MethodGet, "/instances/web1/events", `{"event_type": null, "limit": "5"}`},
		{http.MethodGet, "/instances/web1/consoledata", `{"length": "100"}`},
		{http.MethodPost, "/instances/web1/poweroff", ``},
		{http.MethodPost, "/instances/web1/poweron", `{}`},
		{http.MethodGet, "/networks", `{"all": true}`},
		{http.MethodGet, "/networks/lan", `{"namespace": "demo"}`},
		{http.MethodGet, "/artifacts", `{"node": null}`},
		{http.MethodDelete, "/instances/web1", `{"namespace": null}`},
	} {
		if a := l.send(c.method, c.path, "demo", c.body); a.status != http.StatusOK || len(a.body) == 0 {
			t.Errorf("%s %s: %d %q", c.method, c.path, a.status, a.body)
		}
	}
	// The client waits for state deleted and takes anything but 200 for a failure.
	l.waitInstance(vm.UUID, instance.Deleted)
	if got := get[api.Instance](l, http.MethodGet, "/instances/"+vm.UUID, "demo", nil); got.State != api.StateDeleted {
		t.Errorf("state %s", got.State)
	}
}

// TestRequestsOfTheOldGoClient sends what it sends: every field, empty ones too, and no User-Agent of its own.
func TestRequestsOfTheOldGoClient(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	agent := []string{"User-Agent", "Go-http-client/1.1", "Content-Type", "application/json"}
	n := l.send(http.MethodPost, "/networks", "demo",
		`{"name": "lan", "netblock": "10.0.0.0/24", "provide_dhcp": false, "provide_nat": false, "namespace": ""}`, agent...)
	var lan api.Network
	if err := json.Unmarshal(n.body, &lan); err != nil || lan.ProvideDHCP || lan.ProvideNAT || lan.VXID == 0 || lan.VXID != lan.VXLANID {
		t.Fatalf("%v %s", err, n.body)
	}
	l.waitNetwork(lan.UUID, "created")
	const create = `{"name": "web1", "cpus": 1, "memory": 128, "disk": [{"base": "", "size": 1, "bus": "", "type": ""}],
		"network": [{"network_uuid": "lan", "address": "", "macaddress": "", "model": ""}], "ssh_key": "", "user_data": "",
		"namespace": "", "video": {"model": "", "memory": 0, "vdi": ""}, "uefi": false, "secure_boot": false, "nvram_template": "",
		"configdrive": "", "placed_on": "", "side_channels": null, "metadata": "{\"tags\": [\"web\"]}"}`
	a := l.send(http.MethodPost, "/instances", "demo", create, agent...)
	var vm struct {
		UUID       string          `json:"uuid"`
		Metadata   string          `json:"metadata"`
		Interfaces []api.Interface `json:"interfaces"`
		Video      api.Video       `json:"video"`
		Channels   []string        `json:"side_channels"`
	}
	if err := json.Unmarshal(a.body, &vm); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	if vm.Metadata != `{"tags":["web"]}` || vm.Interfaces[0].IPv4 == nil || vm.Video.Model != "cirrus" || len(vm.Channels) != 1 {
		t.Errorf("got %s", a.body)
	}
	var list []string
	if a := l.send(http.MethodGet, "/auth/namespaces", "demo", nil, agent...); json.Unmarshal(a.body, &list) != nil || len(list) != 1 || list[0] != "demo" {
		t.Errorf("namespaces are %s", a.body)
	}
	strict := newLab(t, func(o *Options) { o.NoOldGoClient = true })
	var views []api.Namespace
	if a := strict.send(http.MethodGet, "/auth/namespaces", "demo", nil, agent...); json.Unmarshal(a.body, &views) != nil {
		t.Errorf("the old client is still served: %s", a.body)
	}
}

func TestAddressesOfNetworkSpecs(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeNetwork("demo", "lan")
	for spec, wantsAddress := range map[string]bool{
		`{"network_uuid": "lan"}`:                    true,
		`{"network_uuid": "lan", "address": ""}`:     true,
		`{"network_uuid": "lan", "address": null}`:   false,
		`{"network_uuid": "lan", "address": "none"}`: false,
		`{"network_uuid": "lan", "address": "None"}`: false,
	} {
		vm := get[api.Instance](l, http.MethodPost, "/instances", "demo",
			`{"name": "web1", "cpus": 1, "memory": 128, "disk": [{"size": 1}], "network": [`+spec+`]}`)
		if got := vm.Interfaces[0].IPv4 != nil; got != wantsAddress {
			t.Errorf("%s: address %v", spec, vm.Interfaces[0].IPv4)
		}
	}
}

func TestSideChannelsTellAbsentFromNone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for value, want := range map[string]int{`null`: 1, `[]`: 0, `["a", "b"]`: 2} {
		vm := get[api.Instance](l, http.MethodPost, "/instances", "demo",
			`{"name": "web1", "cpus": 1, "memory": 128, "disk": [{"size": 1}], "side_channels": `+value+`}`)
		if len(vm.SideChannels) != want {
			t.Errorf("%s: %v", value, vm.SideChannels)
		}
	}
}

func TestNamesAreLookedUpInOneNamespaceIfTheCallerSays(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	mine, theirs := l.makeInstance("demo"), l.makeInstance("other")
	l.wantError(l.send(http.MethodGet, "/instances/web1", "system", nil), 400, `multiple instances have the name "web1"`)
	for namespace, id := range map[string]string{"demo": mine, "other": theirs} {
		if vm := get[api.Instance](l, http.MethodGet, "/instances/web1", "system", map[string]any{"namespace": namespace}); vm.UUID != id {
			t.Errorf("in %s web1 is %s", namespace, vm.UUID)
		}
	}
	l.wantError(l.send(http.MethodGet, "/instances/web1", "demo", map[string]any{"namespace": "other"}), 404, "instance not found")
	bare := mine[:8] + mine[9:13] + mine[14:18] + mine[19:23] + mine[24:]
	if vm := get[api.Instance](l, http.MethodGet, "/instances/"+bare, "demo", nil); vm.UUID != mine {
		t.Errorf("%s is %s", bare, vm.UUID)
	}
}

func TestBodiesMayRepeatThePath(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vm := l.makeInstance("demo")
	got := get[api.Instance](l, http.MethodGet, "/instances/web1", "demo", map[string]any{"instance_ref": "other", "instance_uuid": nil})
	if got.UUID != vm {
		t.Errorf("the body won over the path: %s", got.UUID)
	}
	if n := get[api.Node](l, http.MethodGet, "/nodes/node-1", "system", map[string]any{"node": "node-2"}); n.Name != "node-1" {
		t.Errorf("the body won over the path: %s", n.Name)
	}
}
