package server

import (
	"net/http"
	"slices"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
)

func (l *lab) deleteAllRows() {
	l.t.Helper()
	for _, all := range []string{"/instances", "/networks", "/artifacts"} {
		for _, confirm := range []any{nil, false, 1, "true", []any{true}} { // nothing but true will do
			l.refuse(400, "parameter confirm is not set true", http.MethodDelete, all, "demo", fields{"confirm": confirm})
		}
		l.refuse(400, "system user must specify parameter namespace", http.MethodDelete, all, "system", fields{"confirm": true})
		l.refuse(401, "unauthorized", http.MethodDelete, all, "demo", fields{"confirm": true, "namespace": "other"})
		if list := get[[]string](l, http.MethodDelete, all, "demo", fields{"confirm": true}); len(list) != 0 {
			l.t.Errorf("of nothing, %s deletes %v", all, list)
		}
	}
	net := l.makeNetwork("demo", "lan")
	unused := l.makeNetwork("demo", "unused")
	vm := l.makeInstance("demo", fields{"network_uuid": net})
	theirs := l.makeInstance("other")

	// Networks in use stay, and the others are deleted all the same.
	a := l.send(http.MethodDelete, "/networks", "demo", fields{"confirm": true})
	want := `{"deleted":["` + unused + `"],"unable":["` + net + `"]}`
	if got := errorText(a.body); a.status != http.StatusForbidden || got != want {
		l.t.Errorf("got %d %s, want 403 %s", a.status, a.body, want)
	}
	l.waitNetwork(unused, network.Deleted)

	l.golden("network-delete-all-waits", http.MethodDelete, "/networks", "demo", fields{"confirm": true, "clean_wait": true})
	l.golden("instance-delete-all", http.MethodDelete, "/instances", "demo", fields{"confirm": true, "namespace": nil})
	l.waitInstance(vm, instance.Deleted)
	l.waitNetwork(net, network.Deleted)
	for _, all := range []string{"/instances", "/networks"} { // clients wait for each that is listed
		if list := get[[]string](l, http.MethodDelete, all, "demo", fields{"confirm": true}); len(list) != 0 {
			l.t.Errorf("%s deletes %v again", all, list)
		}
	}
	again := l.makeNetwork("demo", "again")
	l.golden("network-delete-all", http.MethodDelete, "/networks", "system", fields{"confirm": true, "namespace": "demo"})
	l.waitNetwork(again, network.Deleted)
	l.deleteAllArtifacts()

	// For system, the namespace system means the whole cluster, of instances and networks.
	if list := get[[]string](l, http.MethodDelete, "/instances", "system", fields{"confirm": true, "namespace": "system"}); !slices.Equal(list, []string{theirs}) {
		l.t.Errorf("system deletes %v, want %v", list, theirs)
	}
}

func (l *lab) deleteAllArtifacts() {
	l.t.Helper()
	for _, namespace := range []string{"demo", "system"} {
		l.waitArtifact(get[api.Artifact](l, http.MethodPost, "/artifacts", namespace, fields{"url": l.images + "/disk"}).UUID)
	}
	l.golden("artifact-delete-all", http.MethodDelete, "/artifacts", "demo", fields{"confirm": true})
	if list := get[[]string](l, http.MethodDelete, "/artifacts", "system", fields{"confirm": true, "namespace": "system"}); len(list) != 1 {
		l.t.Errorf("system deletes %v", list)
	}
	if list := get[[]api.Artifact](l, http.MethodGet, "/artifacts", "system", nil); len(list) != 0 {
		l.t.Errorf("left are %v", list)
	}
}
