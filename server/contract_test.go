package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
)

// TestEveryRouteHasTheBodyThatClientsRelyOn walks through the life of a tenant. Golden files hold the bytes of each answer.
func TestEveryRouteHasTheBodyThatClientsRelyOn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.golden("root", http.MethodGet, "/", "", nil)
	l.golden("healthz", http.MethodGet, "/healthz", "", nil)
	l.golden("readyz", http.MethodGet, "/readyz", "", nil)
	l.namespaceStory()
	net := l.networkStory()
	l.instanceStory(net)
	l.imageStory()
	l.nodeStory()
}

func (l *lab) namespaceStory() {
	l.t.Helper()
	l.golden("namespace-create", http.MethodPost, "/auth/namespaces", "system", map[string]any{"namespace": "new"})
	l.golden("namespace-create-with-key", http.MethodPost, "/auth/namespaces", "system",
		map[string]any{"namespace": "keyed", "key_name": "first", "key": "s3cret"})
	l.login("keyed", "s3cret")
	l.golden("namespace-list", http.MethodGet, "/auth/namespaces", "demo", nil)
	l.golden("namespace-show", http.MethodGet, "/auth/namespaces/demo", "demo", nil)
	l.golden("key-add", http.MethodPost, "/auth/namespaces/demo/keys", "demo", map[string]any{"key_name": "second", "key": "2"})
	l.golden("key-update", http.MethodPut, "/auth/namespaces/demo/keys", "demo", map[string]any{"key_name": "second", "key": "3"})
	l.golden("key-update-in-path", http.MethodPut, "/auth/namespaces/demo/keys/second", "demo", map[string]any{"key": "4"})
	l.login("demo", "4")
	l.golden("key-list", http.MethodGet, "/auth/namespaces/demo/keys", "demo", nil)
	l.golden("key-delete", http.MethodDelete, "/auth/namespaces/demo/keys/second", "demo", nil)
	l.golden("namespace-delete", http.MethodDelete, "/auth/namespaces/new", "system", nil)
}

func (l *lab) networkStory() string {
	l.t.Helper()
	l.golden("network-list-empty", http.MethodGet, "/networks", "demo", nil)
	a := l.goldenIntent("network-create", http.MethodPost, "/networks",
		map[string]any{"name": "lan", "netblock": "10.0.0.0/29", "provide_nat": false, "namespace": nil})
	var n api.Network
	if err := json.Unmarshal(a.body, &n); err != nil {
		l.t.Fatal(err)
	}
	l.waitNetwork(n.UUID, network.Created)
	l.golden("network-show", http.MethodGet, "/networks/lan", "demo", nil)
	l.golden("network-list", http.MethodGet, "/networks", "demo", nil)
	l.golden("network-addresses", http.MethodGet, "/networks/lan/addresses", "demo", nil)
	l.golden("network-interfaces-empty", http.MethodGet, "/networks/lan/interfaces", "demo", nil)
	l.wantEvents("/networks/lan/events", "demo")
	return n.UUID
}

func (l *lab) instanceStory(net string) {
	l.t.Helper()
	a := l.goldenIntent("instance-create", http.MethodPost, "/instances", map[string]any{
		"name": "web1", "cpus": 2, "memory": "256", "ssh_key": "ssh-ed25519 AAAA", "user_data": "I2Nsb3VkLWNvbmZpZw==",
		"disk":    []any{map[string]any{"size": "2", "base": "", "bus": nil, "type": ""}, map[string]any{"size": 1, "bus": "sata"}},
		"network": []any{map[string]any{"network_uuid": "lan", "address": "10.0.0.3"}},
		"video":   map[string]any{"model": "vga", "memory": "8192", "vdi": "vnc"}, "namespace": nil, "uefi": false,
		"secure_boot": false, "nvram_template": nil, "configdrive": nil, "side_channels": []any{},
		"metadata": map[string]any{"tags": []any{"web"}, "n": 3},
	})
	var i api.Instance
	if err := json.Unmarshal(a.body, &i); err != nil {
		l.t.Fatal(err)
	}
	l.waitInstance(i.UUID, instance.Created)
	l.golden("instance-show", http.MethodGet, "/instances/web1", "demo", map[string]any{"namespace": "demo"})
	l.golden("instance-list", http.MethodGet, "/instances", "demo", map[string]any{"all": false})
	l.golden("instance-interfaces", http.MethodGet, "/instances/"+i.UUID+"/interfaces", "demo", nil)
	l.golden("network-interfaces", http.MethodGet, "/networks/"+net+"/interfaces", "demo", nil)
	l.golden("network-addresses-used", http.MethodGet, "/networks/"+net+"/addresses", "demo", nil)
	l.golden("interface-show", http.MethodGet, "/interfaces/"+l.interfaceOf(i.UUID), "demo", nil)
	l.wantEvents("/instances/web1/events", "demo")
	l.golden("instance-poweroff", http.MethodPost, "/instances/web1/poweroff", "demo", nil)
	l.golden("instance-poweroff-again", http.MethodPost, "/instances/web1/poweroff", "demo", nil)
	l.golden("instance-show-off", http.MethodGet, "/instances/web1", "demo", nil)
	l.golden("instance-poweron", http.MethodPost, "/instances/web1/poweron", "demo", nil)
	if a := l.send(http.MethodGet, "/instances/web1/consoledata", "demo", map[string]any{"length": "-1"}); a.status != http.StatusOK ||
		a.header.Get("Content-Type") != "application/octet-stream" || len(a.body) == 0 {
		l.t.Errorf("console: %d %s %q", a.status, a.header.Get("Content-Type"), a.body)
	}
	if a := l.send(http.MethodGet, "/instances/web1/consoledata?length=4", "demo", nil); len(a.body) != 4 {
		l.t.Errorf("4 bytes of the console are %q", a.body)
	}
	l.goldenIntent("instance-delete", http.MethodDelete, "/instances/web1", map[string]any{"namespace": nil})
	l.waitInstance(i.UUID, instance.Deleted)
	l.golden("instance-show-deleted", http.MethodGet, "/instances/"+i.UUID, "demo", nil)
	l.golden("instance-list-empty", http.MethodGet, "/instances", "demo", nil)
	if all := get[[]api.Instance](l, http.MethodGet, "/instances?all=true", "demo", nil); len(all) != 1 {
		l.t.Errorf("%d instances are listed with all", len(all))
	}
	l.goldenIntent("network-delete", http.MethodDelete, "/networks/lan", nil)
	l.waitNetwork(net, network.Deleted)
	l.golden("network-show-deleted", http.MethodGet, "/networks/"+net, "demo", nil)
	l.golden("network-delete-again", http.MethodDelete, "/networks/"+net, "demo", nil)
}

func (l *lab) interfaceOf(id string) string {
	l.t.Helper()
	list := get[[]api.Interface](l, http.MethodGet, "/instances/"+id+"/interfaces", "system", nil)
	if len(list) == 0 {
		l.t.Fatal("the instance has no interface")
	}
	return list[0].UUID
}

func (l *lab) imageStory() {
	l.t.Helper()
	l.golden("artifact-list-empty", http.MethodGet, "/artifacts", "demo", nil)
	a := l.goldenIntent("artifact-create", http.MethodPost, "/artifacts",
		map[string]any{"url": l.images + "/disk.qcow2", "shared": false, "namespace": nil})
	var made api.Artifact
	if err := json.Unmarshal(a.body, &made); err != nil {
		l.t.Fatal(err)
	}
	l.waitArtifact(made.UUID)
	shown := get[api.Artifact](l, http.MethodGet, "/artifacts/disk.qcow2", "demo", nil)
	l.golden("artifact-show", http.MethodGet, "/artifacts/disk.qcow2", "demo", nil)
	l.golden("artifact-list", http.MethodGet, "/artifacts", "demo", map[string]any{"node": "node-1"})
	l.golden("artifact-list-elsewhere", http.MethodGet, "/artifacts", "demo", map[string]any{"node": "node-2"})
	l.golden("artifact-versions", http.MethodGet, "/artifacts/"+made.UUID+"/versions", "demo", nil)
	l.wantEvents("/artifacts/disk.qcow2/events", "demo")
	l.golden("blob-show", http.MethodGet, "/blobs/"+shown.BlobUUID, "other", nil)
	l.golden("blob-list", http.MethodGet, "/blobs", "system", map[string]any{"node": nil})
	l.golden("blob-list-elsewhere", http.MethodGet, "/blobs?node=node-2", "system", nil)
	l.goldenIntent("artifact-delete", http.MethodDelete, "/artifacts/disk.qcow2", nil)
	l.golden("artifact-delete-again", http.MethodDelete, "/artifacts/"+made.UUID, "demo", nil)
}

func (l *lab) waitArtifact(id string) {
	l.t.Helper()
	for range 2000 {
		a, err := l.cloud.Artifacts.Get(l.t.Context(), id)
		switch {
		case err != nil:
			l.t.Fatal(err)
		case a.State == artifact.Created:
			return
		case a.State == artifact.Error:
			l.t.Fatal(a.Error)
		}
		time.Sleep(5 * time.Millisecond)
	}
	l.t.Fatal("the image was not fetched")
}

func (l *lab) nodeStory() {
	l.t.Helper()
	l.golden("node-list", http.MethodGet, "/nodes", "system", nil)
	l.golden("node-show", http.MethodGet, "/nodes/node-1", "system", nil)
	l.wantEvents("/nodes/node-1/events", "system")
}

// wantEvents checks the shape of events, their order, and the arguments of their routes.
func (l *lab) wantEvents(path, as string) {
	l.t.Helper()
	list := get[[]map[string]any](l, http.MethodGet, path, as, map[string]any{"limit": "-1"})
	if len(list) == 0 {
		l.t.Errorf("%s: nothing", path)
		return
	}
	last := list[0]["timestamp"]
	for _, e := range list {
		if keys := sortedKeys(e); strings.Join(keys, " ") != "duration extra fqdn message timestamp type" {
			l.t.Errorf("%s: keys %v", path, keys)
		}
		if e["fqdn"] != "node-1" || e["timestamp"].(float64) > last.(float64) { //nolint:errcheck,forcetypeassert // a test
			l.t.Errorf("%s: %v is not of this node or not in order", path, e)
		}
		last = e["timestamp"]
	}
	if one := get[[]api.Event](l, http.MethodGet, path+"?limit=1", as, nil); len(one) != 1 {
		l.t.Errorf("%s: %d events with limit 1", path, len(one))
	}
	for _, e := range get[[]api.Event](l, http.MethodGet, path, as, map[string]any{"event_type": "status"}) {
		if e.Type != "status" {
			l.t.Errorf("%s: %s is not of type status", path, e.Type)
		}
	}
	l.wantError(l.send(http.MethodGet, path, as, map[string]any{"event_type": "rumour"}), http.StatusBadRequest, "event_type")
}

func TestEveryRouteWasWalked(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := &server{cloud: l.cloud}
	for _, rt := range s.routes() {
		if rt.handle == nil || rt.who == "" {
			t.Errorf("%s %s is not complete", rt.method, rt.pattern)
		}
		for _, a := range rt.args {
			if a.doc == "" {
				t.Errorf("%s %s: argument %s is not described", rt.method, rt.pattern, a.name)
			}
		}
	}
	words := api.Capabilities()
	page := string(l.send(http.MethodGet, "/", "", nil).body)
	for _, word := range []string{
		"blob-data-limit", "hot-plug-interface", "spice-vdi-console", "instance-execute", "artifact-metadata", "cluster-cacert",
	} {
		if strings.Contains(page, word) || slices.Contains(words, word) {
			t.Errorf("the root page promises %s", word)
		}
	}
}
