package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/api"
)

// imitation is as much of the API as it takes to see what the command line makes of answers: objects in lists, numbered
// UUIDs, a clock that stands still. What it does follows from names: an instance called "broken" ends in error, one called
// "slow" is made only when it was looked at twice, a network called "later" is not ready once.
type imitation struct {
	mux *http.ServeMux

	mu         sync.Mutex // guards what follows
	last       int        // number of the newest UUID
	namespaces []api.Namespace
	networks   []api.Network
	instances  []api.Instance
	artifacts  []api.Artifact
	looks      map[string]int // how often an object was asked for by UUID
	bodies     []string       // of the requests, with method and path
}

func noon() api.Time { return api.At(time.Date(2023, 5, 27, 12, 0, 0, 500_000_000, time.UTC)) }

func newImitation() *imitation {
	m := &imitation{
		mux: http.NewServeMux(), looks: map[string]int{},
		namespaces: []api.Namespace{{Name: "system", State: "created", Keys: []string{"deploy"}, Trust: api.Trust{Full: []string{"system"}}, Version: 5}},
	}
	m.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { say(w, "<html></html>") })
	m.mux.HandleFunc("POST "+api.PathAuth, m.login)
	m.namespaceRoutes()
	m.networkRoutes()
	m.instanceRoutes()
	m.artifactRoutes()
	m.nodeRoutes()
	return m
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	text   string
}

// on answers a route with what f returns, a refusal or a body of status 200.
func (m *imitation) on(route string, f func(r *http.Request, body []byte) any) {
	m.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		m.bodies = append(m.bodies, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
		answer := any(refusal{401, "unauthorized"})
		if r.Header.Get("Authorization") == "Bearer t0ken" {
			answer = f(r, body)
		}
		m.mu.Unlock()
		say(w, answer)
	})
}

func say(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	if r, refused := answer.(refusal); refused {
		w.WriteHeader(r.status)
		answer = api.Error{Error: r.text, Status: r.status}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// uuid returns the next one. The caller holds mu.
func (m *imitation) uuid() string {
	m.last++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", m.last)
}

func (m *imitation) login(w http.ResponseWriter, r *http.Request) {
	var a api.Auth
	_ = json.NewDecoder(r.Body).Decode(&a)
	switch {
	case a.Namespace != "system":
		say(w, refusal{404, "namespace not found"})
	case a.Key != "s3cret":
		say(w, refusal{401, "unauthorized"})
	default:
		say(w, api.Token{AccessToken: "t0ken", TokenType: "Bearer", ExpiresIn: 900})
	}
}

func (m *imitation) namespaceRoutes() {
	find := func(r *http.Request) int {
		return slices.IndexFunc(m.namespaces, func(n api.Namespace) bool { return n.Name == r.PathValue("namespace") })
	}
	on := func(route string, f func(n int, r *http.Request, body []byte) any) {
		m.on(route, func(r *http.Request, body []byte) any {
			if n := find(r); n >= 0 {
				return f(n, r, body)
			}
			return refusal{404, "namespace not found"}
		})
	}
	m.on("GET "+api.PathNamespaces, func(*http.Request, []byte) any { return m.namespaces })
	m.on("POST "+api.PathNamespaces, func(_ *http.Request, body []byte) any {
		var c api.CreateNamespace
		_ = json.Unmarshal(body, &c)
		if slices.ContainsFunc(m.namespaces, func(n api.Namespace) bool { return n.Name == c.Namespace }) {
			return refusal{403, "namespace exists"}
		}
		m.namespaces = append(m.namespaces, api.Namespace{Name: c.Namespace, State: "created", Trust: api.Trust{Full: []string{"system"}}, Version: 5})
		return m.namespaces[len(m.namespaces)-1]
	})
	on("GET "+api.PathNamespace, func(n int, _ *http.Request, _ []byte) any { return m.namespaces[n] })
	on("DELETE "+api.PathNamespace, func(n int, _ *http.Request, _ []byte) any {
		m.namespaces = slices.Delete(m.namespaces, n, n+1)
		return nil
	})
	on("POST "+api.PathNamespaceKeys, func(n int, _ *http.Request, body []byte) any {
		var k api.AddKey
		_ = json.Unmarshal(body, &k)
		m.namespaces[n].Keys = append(m.namespaces[n].Keys, k.KeyName)
		return k.KeyName
	})
	on("DELETE "+api.PathNamespaceKey, func(n int, r *http.Request, _ []byte) any {
		k := slices.Index(m.namespaces[n].Keys, r.PathValue("key"))
		if k < 0 {
			return refusal{404, "key name not found in namespace"}
		}
		m.namespaces[n].Keys = slices.Delete(m.namespaces[n].Keys, k, k+1)
		return nil
	})
}

func (m *imitation) networkRoutes() {
	on := func(route string, f func(n *api.Network) any) {
		m.on(route, func(r *http.Request, _ []byte) any {
			for n := range m.networks {
				if ref := r.PathValue("ref"); m.networks[n].UUID == ref || (m.networks[n].Name == ref && m.networks[n].State != "deleted") {
					return f(&m.networks[n])
				}
			}
			return refusal{404, "network not found"}
		})
	}
	m.on("GET "+api.PathNetworks, func(*http.Request, []byte) any {
		return slices.DeleteFunc(slices.Clone(m.networks), func(n api.Network) bool { return n.State == "deleted" })
	})
	m.on("POST "+api.PathNetworks, m.createNetwork)
	on("GET "+api.PathNetwork, func(n *api.Network) any { return *n })
	on("DELETE "+api.PathNetwork, func(n *api.Network) any {
		n.State = "deleted"
		return *n
	})
	on("GET "+api.PathNetworkEvents, func(*api.Network) any { return events() })
	on("GET "+api.PathNetworkInterfaces, func(n *api.Network) any {
		l := []api.Interface{}
		for _, i := range m.instances {
			for _, f := range i.Interfaces {
				if f.NetworkUUID == n.UUID {
					l = append(l, f)
				}
			}
		}
		return l
	})
	on("GET "+api.PathNetworkAddresses, func(*api.Network) any {
		return []api.Reservation{
			{Address: "10.0.0.1", Type: "gateway", User: []string{"network", "n1"}, When: noon()},
			{Address: "10.0.0.10", Type: "deletion-halo", When: noon()},
			{Address: "10.0.0.2", Type: "instance", User: []string{"instance", "i1"}, When: noon(), Comment: "a, b"},
		}
	})
}

func (m *imitation) createNetwork(_ *http.Request, body []byte) any {
	var c api.CreateNetwork
	_ = json.Unmarshal(body, &c)
	block, err := netip.ParsePrefix(c.Netblock)
	if err != nil || block.Masked() != block {
		return refusal{400, "cannot parse netblock: " + c.Netblock + " has host bits set"}
	}
	if m.looks[*c.Name]++; *c.Name == "later" && m.looks[*c.Name] == 1 {
		return refusal{406, "the network node is not ready"}
	}
	namespace := "system"
	if c.Namespace != nil {
		namespace = *c.Namespace
	}
	m.networks = append(m.networks, api.Network{
		UUID: m.uuid(), Name: *c.Name, Namespace: namespace, Netblock: c.Netblock, ProvideDHCP: *c.ProvideDHCP, ProvideNAT: *c.ProvideNAT,
		ProvideDNS: *c.ProvideDNS, VXLANID: 4882442, VXID: 4882442, State: "initial", Version: 6,
	})
	answer := m.networks[len(m.networks)-1]
	m.networks[len(m.networks)-1].State = "created"
	return answer
}

func events() []api.Event {
	return []api.Event{
		{Type: "status", Timestamp: noon(), FQDN: "node-1", Duration: new(api.Float(1.5)), Message: "fetched 50%", Extra: api.Object{"bytes": 512}},
		{Type: "audit", Timestamp: noon(), FQDN: "node-1", Message: "create request \x1b[31mfrom REST API"},
	}
}
