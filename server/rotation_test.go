package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
)

// elsewhere serves the lab's cloud from another process: one with the same store and nothing else in common.
func (l *lab) elsewhere() *lab {
	l.t.Helper()
	net := simnet.New()
	cloud, err := shakenfist.New(shakenfist.Config{
		State: l.state, Hypervisor: simhv.New(simhv.Options{Switch: net}), Network: net, Node: "node-2", Dir: l.t.TempDir(), HashCost: bcrypt.MinCost,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := cloud.Run(ctx); err != nil {
			l.t.Error(err)
		}
	})
	l.t.Cleanup(running.Wait)
	l.t.Cleanup(cancel)
	if err := cloud.Ready(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	front := httptest.NewServer(New(cloud, Options{}))
	l.t.Cleanup(front.Close)
	return &lab{t: l.t, cloud: cloud, state: l.state, url: front.URL, tokens: map[string]string{}, names: map[string]string{}}
}

// TestTokensOfOneProcessCountInAnotherAndEndThereAtOnce also holds that a process never trusts what it knew a moment ago.
func TestTokensOfOneProcessCountInAnotherAndEndThereAtOnce(t *testing.T) {
	t.Parallel()
	here := newLab(t)
	there := here.elsewhere()
	labs := []*lab{here, there}
	use := func(l *lab, token string) answer {
		return l.send(http.MethodGet, "/instances", "", nil, "Authorization", "Bearer "+token)
	}
	const keys = "/auth/namespaces/demo/keys"
	get[any](here, http.MethodPost, keys, "system", fields{"key_name": "k", "key": "first"})
	for i := range 20 {
		a, b := labs[i%2], labs[(i+1)%2]
		old := a.login("demo", "first")
		if got := use(b, old); got.status != http.StatusOK {
			t.Fatalf("round %d: a fresh token in the other process: %d %s", i, got.status, got.body)
		}
		get[any](a, http.MethodPut, keys+"/k", "system", fields{"key": "second"})
		b.wantError(use(b, old), http.StatusUnauthorized, "key was changed")
		b.refuse(401, "unauthorized", http.MethodPost, "/auth", "", api.Auth{Namespace: "demo", Key: "first"})
		renewed := b.login("demo", "second")
		get[any](b, http.MethodDelete, keys+"/k", "system", nil)
		a.wantError(use(a, renewed), http.StatusUnauthorized, "key no longer exists")
		get[any](a, http.MethodPost, keys, "system", fields{"key_name": "k", "key": "first"})
	}
	gone := here.token("other")
	get[any](there, http.MethodDelete, "/auth/namespaces/other", "system", nil)
	here.wantError(use(here, gone), http.StatusUnauthorized, "namespace no longer exists")
	get[any](there, http.MethodPost, "/auth/namespaces/demo/trust", "demo", fields{"external_namespace": "friend"})
	get[any](there, http.MethodPost, "/auth/namespaces", "system", fields{"namespace": "friend", "key_name": "deploy", "key": "friend"})
	get[api.Namespace](here, http.MethodGet, "/auth/namespaces/demo", "friend", nil)
	get[any](there, http.MethodDelete, "/auth/namespaces/demo/trust/friend", "demo", nil)
	here.refuse(404, "namespace not found", http.MethodGet, "/auth/namespaces/demo", "friend", nil)
}
