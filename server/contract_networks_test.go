package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/network"
)

func (l *lab) networkRows() {
	l.t.Helper()
	const all, lan = "/networks", "/networks/lan"
	l.golden("network-list-empty", http.MethodGet, all, "demo", nil)
	made := decode200[api.Network](l, l.goldenIntent("network-create", http.MethodPost, all,
		fields{"name": "lan", "netblock": "10.0.0.0/29", "provide_nat": false, "namespace": nil}))
	l.createNetworkRefusals()
	l.waitNetwork(made.UUID, network.Created)
	l.golden("network-show", http.MethodGet, lan, "demo", fields{"namespace": "demo"})
	l.golden("network-list", http.MethodGet, all, "demo", nil)
	l.golden("network-addresses", http.MethodGet, lan+"/addresses", "demo", nil)
	l.golden("network-interfaces-empty", http.MethodGet, lan+"/interfaces", "demo", nil)
	l.golden("network-events", http.MethodGet, lan+"/events", "demo", fields{"event_type": "audit", "limit": 1})
	l.wantEvents(lan+"/events", "demo")

	used := blankInstance(fields{"network_uuid": "lan", "address": "10.0.0.3"})
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", used).UUID
	l.waitInstance(vm, "created")
	l.golden("network-interfaces", http.MethodGet, lan+"/interfaces", "demo", nil)
	l.golden("network-addresses-used", http.MethodGet, lan+"/addresses", "demo", nil)
	l.golden("interface-show", http.MethodGet, "/interfaces/"+l.interfaceOf(vm), "demo", nil)

	// A network in use waits until it is not.
	l.goldenIntent("network-delete-in-use", http.MethodDelete, lan, nil)
	get[api.Instance](l, http.MethodDelete, "/instances/"+vm, "demo", nil)
	l.waitNetwork(made.UUID, network.Deleted)
	l.golden("network-show-deleted", http.MethodGet, all+"/"+made.UUID, "demo", nil)
	l.golden("network-delete-again", http.MethodDelete, all+"/"+made.UUID, "demo", nil)
	l.golden("network-list-all", http.MethodGet, all, "demo", fields{"all": true})
	l.golden("network-list-empty", http.MethodGet, all, "demo", fields{"all": false})
	l.networkNames()
}

// createNetworkRefusals are what POST /networks refuses.
func (l *lab) createNetworkRefusals() {
	l.t.Helper()
	const all = "/networks"
	for _, c := range []struct {
		body   fields
		status int
		words  string
	}{
		{fields{"name": "n"}, 400, "netblock"},
		{fields{"name": "n", "netblock": "10.0.0.0/30"}, 400, "netblock"},
		{fields{"name": "n", "netblock": "10.0.0.1/24"}, 400, "cannot parse netblock: "},
		{fields{"name": "n", "netblock": "ten"}, 400, "cannot parse netblock: "},
		{fields{"name": "n", "netblock": "10.0.0.0/24", "namespace": "other"}, 401, "unauthorized"},
		{fields{"name": "n", "netblock": "10.0.0.0/24", "namespace": "nowhere"}, 401, "unauthorized"},
		{fields{"name": "n", "netblock": "10.0.0.0/24", "colour": "red"}, 400, "colour"},
	} {
		l.refuse(c.status, c.words, http.MethodPost, all, "demo", c.body)
	}
	l.refuse(404, "namespace not found", http.MethodPost, all, "system", fields{"name": "n", "netblock": "10.0.0.0/24", "namespace": "nowhere"})
	if n := get[api.Network](l, http.MethodPost, all, "system", fields{"name": "n", "netblock": "10.0.0.0/24", "namespace": "other"}); n.Namespace != "other" {
		l.t.Errorf("system made a network in %s", n.Namespace)
	}
}

// networkNames are what names in a path may refer to.
func (l *lab) networkNames() {
	l.t.Helper()
	if n := get[api.Network](l, http.MethodPost, "/networks", "demo", fields{"netblock": "10.0.0.0/24"}); n.Name != "" {
		l.t.Errorf("a network that was given no name is called %q", n.Name)
	}
	l.makeNetwork("demo", "twin")
	l.makeNetwork("demo", "twin")
	l.refuse(400, `multiple networks have the name "twin" in namespace "demo"`, http.MethodGet, "/networks/twin", "demo", nil)
	l.refuse(404, "network not found", http.MethodGet, "/networks/twin", "other", nil)
	foreign := l.makeNetwork("other", "theirs")
	l.refuse(404, "network not found", http.MethodGet, "/networks/"+foreign, "system", fields{"namespace": "demo"})
	l.refuse(404, "network not found", http.MethodDelete, "/networks/"+foreign, "system", fields{"namespace": "demo"})
	l.refuse(403, "floating", http.MethodDelete, "/networks/floating", "system", nil)
	l.goldenIntent("network-delete", http.MethodDelete, "/networks/"+l.makeNetwork("demo", "lan2"), nil)
}

func (l *lab) interfaceOf(id string) string {
	l.t.Helper()
	list := get[[]api.Interface](l, http.MethodGet, "/instances/"+id+"/interfaces", "system", nil)
	if len(list) == 0 {
		l.t.Fatal("the instance has no interface")
	}
	return list[0].UUID
}
