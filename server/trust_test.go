package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
)

// trust lets other act on demo.
func (l *lab) trust() {
	l.t.Helper()
	get[api.Namespace](l, http.MethodPost, "/auth/namespaces/demo/trust", "demo", fields{"external_namespace": "other"})
}

func TestTrustOpensArtifactsAndTheNamespaceItself(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	image := get[api.Artifact](l, http.MethodPost, "/artifacts", "demo", fields{"url": l.images + "/disk"}).UUID
	l.waitArtifact(image)
	hidden := []struct {
		method, path string
		body         any
	}{
		{http.MethodGet, "/artifacts/" + image, nil},
		{http.MethodGet, "/artifacts/disk/versions", nil},
		{http.MethodPut, "/artifacts/" + image + "/metadata/k", fields{"value": "v"}},
		{http.MethodGet, "/auth/namespaces/demo/keys", nil},
		{http.MethodPost, "/auth/namespaces/demo/keys", fields{"key_name": "friend", "key": "of a friend"}},
		{http.MethodPut, "/auth/namespaces/demo/metadata/k", fields{"value": "v"}},
		{http.MethodPost, "/artifacts", fields{"url": l.images + "/another", "namespace": "demo"}},
		{http.MethodPost, "/auth/namespaces/demo/trust", fields{"external_namespace": "third"}},
		{http.MethodDelete, "/artifacts/" + image, nil},
	}
	for _, c := range hidden {
		l.refuse(404, "not found", c.method, c.path, "other", c.body)
	}
	l.trust()
	for _, c := range hidden {
		if a := l.send(c.method, c.path, "other", c.body); a.status != http.StatusOK {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
	l.refuse(404, "namespace not found", http.MethodGet, "/auth/namespaces/other", "demo", nil) // one way
	l.login("demo", "of a friend")
	names := func(as string) (all []string) {
		for _, n := range get[[]api.Namespace](l, http.MethodGet, "/auth/namespaces", as, nil) {
			all = append(all, n.Name)
		}
		return all
	}
	if got := names("other"); !slices.Equal(got, []string{"demo", "other"}) {
		t.Errorf("other sees %v", got)
	}
	get[api.Namespace](l, http.MethodDelete, "/auth/namespaces/demo/trust/other", "other", nil) // it may, as everything else
	l.refuse(404, "namespace not found", http.MethodGet, "/auth/namespaces/demo", "other", nil)
	if got := names("other"); !slices.Equal(got, []string{"other"}) {
		t.Errorf("other still sees %v", got)
	}
}

func TestTrustOpensInstancesForMakingOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	net := l.makeNetwork("demo", "lan")
	body := blankInstance(fields{"network_uuid": "lan"})
	body["namespace"] = "demo"
	l.refuse(404, "namespace not found", http.MethodPost, "/instances", "other", body)
	l.trust()
	vm := get[api.Instance](l, http.MethodPost, "/instances", "other", body)
	if vm.Namespace != "demo" || vm.Interfaces[0].NetworkUUID != net {
		t.Errorf("got %+v", vm)
	}
	l.waitInstance(vm.UUID, instance.Created)
	nic := l.interfaceOf(vm.UUID)
	for _, path := range []string{
		"/instances/" + vm.UUID, "/instances/web1", "/instances/" + vm.UUID + "/metadata", "/networks/" + net, "/networks/lan",
		"/networks/lan/addresses", "/interfaces/" + nic, "/interfaces/" + nic + "/metadata",
	} {
		l.refuse(404, "not found", http.MethodGet, path, "other", nil)
	}
	l.refuse(404, "instance not found", http.MethodDelete, "/instances/"+vm.UUID, "other", fields{"namespace": "demo"})
	l.refuse(401, "unauthorized", http.MethodPost, "/networks", "other", fields{"netblock": "10.0.0.0/24", "namespace": "demo"})
	for _, path := range []string{"/instances", "/networks", "/artifacts"} {
		l.refuse(401, "unauthorized", http.MethodDelete, path, "other", fields{"confirm": true, "namespace": "demo"})
	}
	for _, path := range []string{"/instances", "/networks"} {
		if a := l.send(http.MethodGet, path, "other", nil); string(a.body) != "[]\n" {
			t.Errorf("GET %s: %s", path, a.body)
		}
	}
}

func TestTrustsAreRefusedByField(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	before := l.everything()
	for _, bad := range []any{"a/b", "two words", strings.Repeat("x", 10000), "\u0000"} {
		l.refuse(400, "external_namespace", http.MethodPost, "/auth/namespaces/demo/trust", "demo", fields{"external_namespace": bad})
	}
	l.refuse(400, "external_namespace is not a string", http.MethodPost, "/auth/namespaces/demo/trust", "demo", fields{"external_namespace": []any{"other"}})
	if l.everything() != before {
		t.Error("what was refused left something behind")
	}
	for _, name := range []string{"never", "a%2Fb", "%00", "%2E%2E"} {
		get[api.Namespace](l, http.MethodDelete, "/auth/namespaces/demo/trust/"+name, "demo", nil)
	}
	if l.everything() != before {
		t.Error("removing what is not there wrote something")
	}
}

// A namespace that is made again knows nothing of the one before, whose objects can be read for an hour.
func TestANamespaceIsMadeAfresh(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	get[any](l, http.MethodPut, "/auth/namespaces/other/metadata/k", "other", fields{"value": "v"})
	get[any](l, http.MethodPost, "/auth/namespaces/other/trust", "other", fields{"external_namespace": "demo"})
	net := l.makeNetwork("other", "lan")
	vm := l.makeInstance("other", fields{"network_uuid": "lan"})
	nic := l.interfaceOf(vm)
	image := get[api.Artifact](l, http.MethodPost, "/artifacts", "other", fields{"url": l.images + "/disk"}).UUID
	l.waitArtifact(image)
	for _, path := range []string{"/instances/" + vm, "/networks/" + net, "/artifacts/" + image} {
		get[any](l, http.MethodDelete, path, "other", nil)
	}
	l.waitInstance(vm, instance.Deleted)
	l.waitNetwork(net, network.Deleted)
	old := []string{
		"/instances/" + vm, "/instances/" + vm + "/metadata", "/instances/" + vm + "/events", "/networks/" + net, "/artifacts/" + image, "/interfaces/" + nic,
	}
	for _, path := range old {
		get[any](l, http.MethodGet, path, "other", nil)
	}
	token := l.token("other")
	get[any](l, http.MethodDelete, "/auth/namespaces/other", "system", nil)
	if left := l.everything(); strings.Contains(left, "metadata/namespace/other") {
		t.Error("the metadata of a deleted namespace is left")
	}
	n := get[api.Namespace](l, http.MethodPost, "/auth/namespaces", "system", fields{"namespace": "other"})
	if len(n.Keys) != 0 || len(n.Metadata) != 0 || !slices.Equal(n.Trust.Full, []string{"system"}) {
		t.Errorf("made again it is %+v", n)
	}
	l.wantError(l.send(http.MethodGet, "/instances", "", nil, "Authorization", "Bearer "+token), http.StatusUnauthorized, "key no longer exists")
	l.refuse(401, "unauthorized", http.MethodPost, "/auth", "", api.Auth{Namespace: "other", Key: "other"})

	get[any](l, http.MethodPost, "/auth/namespaces/other/keys", "system", fields{"key_name": "new", "key": "of somebody else"})
	fresh := "Bearer " + l.login("other", "of somebody else")
	for _, path := range old {
		l.wantError(l.send(http.MethodGet, path, "", nil, "Authorization", fresh), http.StatusNotFound, "not found")
		get[any](l, http.MethodGet, path, "system", nil)
	}
	for _, path := range []string{"/instances?all=true", "/networks?all=true"} {
		if a := l.send(http.MethodGet, path, "", nil, "Authorization", fresh); string(a.body) != "[]\n" {
			t.Errorf("GET %s: %s", path, a.body)
		}
	}
}

func TestNamespacesAreRefusedInOrderAndLeaveNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	before := l.everything()
	for _, c := range []struct {
		status int
		words  string
		body   fields
	}{
		{403, "namespace exists", fields{"namespace": "demo", "key_name": "k"}},
		{403, "namespace exists", fields{"namespace": "demo", "key_name": "_service_key_x", "key": 7}},
		{400, "no key specified", fields{"namespace": "new", "key_name": "_service_key_x"}},
		{400, "key is not a string", fields{"namespace": "new", "key_name": "_service_key_x", "key": 7}},
		{403, "illegal key name", fields{"namespace": "new", "key_name": "_service_key_x", "key": "k"}},
		{403, "illegal key name", fields{"namespace": "new", "key_name": "service_key", "key": "k"}},
		{400, "key_name", fields{"namespace": "new", "key_name": "a\nb", "key": "k"}},
		{400, "key_name is not a string", fields{"namespace": "new", "key_name": 7, "key": "k"}},
		{400, `namespace "a b"`, fields{"namespace": "a b"}},
	} {
		l.refuse(c.status, c.words, http.MethodPost, "/auth/namespaces", "system", c.body)
	}
	l.refuse(401, "unauthorized", http.MethodPost, "/auth/namespaces", "demo", fields{"namespace": "demo"})
	if l.everything() != before {
		t.Error("what was refused left something behind")
	}
}

// What happens to a namespace is written down, and no secret with it.
func TestNamespacesAreAuditedWithoutSecrets(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const all, one = "/auth/namespaces", "/auth/namespaces/team"
	get[any](l, http.MethodPost, all, "system", fields{"namespace": "team", "key_name": "first", "key": "hunter2-a"})
	get[any](l, http.MethodPost, one+"/keys", "system", fields{"key_name": "second", "key": "hunter2-b"})
	get[any](l, http.MethodPut, one+"/keys/second", "system", fields{"key": "hunter2-c"})
	token := l.login("team", "hunter2-c")
	get[any](l, http.MethodDelete, one+"/keys/second", "system", nil)
	get[any](l, http.MethodPost, one+"/trust", "system", fields{"external_namespace": "demo"})
	get[any](l, http.MethodDelete, one+"/trust/demo", "system", nil)
	get[any](l, http.MethodPut, one+"/metadata/note", "system", fields{"value": "hunter2-d"})
	get[any](l, http.MethodDelete, one+"/metadata/note", "system", nil)
	var got []string
	for _, e := range l.eventsOf("namespace", "team") {
		if e.Extra["request-id"] == nil {
			t.Errorf("%s tells of no request", e.Message)
		}
		got = append(got, e.Message)
	}
	want := []string{
		"deleted metadata", "set metadata", "stopped trusting namespace", "trusted namespace", "deleted key", "set key", "set key", "created namespace",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events are %q, want %q", got, want)
	}
	left := l.everything() + l.log.String()
	for _, secret := range []string{"hunter2", token, strings.Split(token, ".")[2]} {
		if strings.Contains(left, secret) {
			t.Errorf("%s is in the store or in the log", secret)
		}
	}
}
