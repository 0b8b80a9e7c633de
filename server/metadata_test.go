package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance"
)

// eventsOf are an object's events, newest first.
func (l *lab) eventsOf(kind, id string) []event.Event {
	l.t.Helper()
	list, err := l.cloud.Events.List(l.t.Context(), event.Object{Kind: kind, ID: id}, "", -1)
	if err != nil {
		l.t.Fatal(err)
	}
	return list
}

// Terraform sets metadata key by key right after a create.
func TestMetadataIsTakenWhileTheObjectIsMade(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.loops.Lock()
	net := get[api.Network](l, http.MethodPost, "/networks", "demo", fields{"name": "lan", "netblock": "10.0.0.0/24"}).UUID
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", blankInstance()).UUID
	for i := range 5 {
		for _, path := range []string{"/instances/" + vm, "/networks/" + net} {
			get[any](l, http.MethodPut, fmt.Sprintf("%s/metadata/k%d", path, i), "demo", fields{"value": "v"})
		}
	}
	got := get[api.Instance](l, http.MethodGet, "/instances/"+vm, "demo", nil)
	if got.State != "initial" || len(got.Metadata) != 5 {
		t.Errorf("state %s, metadata %v", got.State, got.Metadata)
	}
	l.loops.Unlock()
	l.waitInstance(vm, instance.Created)
	if got := get[api.Instance](l, http.MethodGet, "/instances/"+vm, "demo", nil); len(got.Metadata) != 5 {
		t.Errorf("metadata %v", got.Metadata)
	}
	get[any](l, http.MethodDelete, "/instances/"+vm, "demo", nil)
	l.waitInstance(vm, instance.Deleted)
	if kept := get[map[string]any](l, http.MethodGet, "/instances/"+vm+"/metadata", "demo", nil); len(kept) != 5 {
		t.Errorf("the metadata of a deleted instance is %v", kept)
	}
}

func TestKeysOfMetadataAreAnyText(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	want := map[string]any{}
	for _, key := range []string{
		"plain", "a/b", "/a/", "..", ".", "a b", "a%2Fb", "ü", "日本", "a?b#c", "\n", "\x00", "api", "metadata", "<&>", `"`, `\`, strings.Repeat("k", 2000),
	} {
		want[key] = "v"
		get[any](l, http.MethodPut, api.Path(api.PathNamespaceMetadataKey, "demo", key), "demo", fields{"value": "v", "key": "ignored"})
	}
	want[" in the body "] = "v"
	get[any](l, http.MethodPost, "/auth/namespaces/demo/metadata", "demo", fields{"key": " in the body ", "value": "v"})
	if got := get[map[string]any](l, http.MethodGet, "/auth/namespaces/demo/metadata", "demo", nil); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for key := range want {
		get[any](l, http.MethodDelete, api.Path(api.PathNamespaceMetadataKey, "demo", key), "demo", nil)
	}
	if a := l.send(http.MethodGet, "/auth/namespaces/demo/metadata", "demo", nil); string(a.body) != "{}\n" {
		t.Errorf("left is %s", a.body)
	}
	l.refuse(400, "not UTF-8", http.MethodPut, "/auth/namespaces/demo/metadata/%ff", "demo", fields{"value": "v"})
}

func TestNumbersInMetadataComeBackAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const numbers = `{"big":12345678901234567890,"float":1.5,"list":[9007199254740993],"whole":7}`
	body := blankInstance()
	body["metadata"] = json.RawMessage(numbers)
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", body).UUID
	get[any](l, http.MethodPut, "/auth/namespaces/demo/metadata/all", "demo", `{"value": `+numbers+`}`)
	for path, want := range map[string]string{
		"/instances/" + vm + "/metadata": numbers, "/auth/namespaces/demo/metadata": `{"all":` + numbers + `}`,
	} {
		if a := l.send(http.MethodGet, path, "demo", nil); string(a.body) != want+"\n" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func TestMetadataIsBounded(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const path = "/auth/namespaces/demo/metadata"
	for i := range 3 {
		get[any](l, http.MethodPut, fmt.Sprint(path, "/k", i), "demo", fields{"value": strings.Repeat("x", 20<<10)})
	}
	before := l.everything()
	l.refuse(400, "metadata has more than 65536 bytes of JSON", http.MethodPut, path+"/k3", "demo", fields{"value": strings.Repeat("x", 20<<10)})
	l.refuse(400, `metadata key "k4"`, http.MethodPut, path+"/k4", "demo", `{"value": 1e400}`)
	if l.everything() != before {
		t.Error("what was refused left something behind")
	}
	get[any](l, http.MethodPut, path+"/k0", "demo", fields{"value": "small"})
	get[any](l, http.MethodPut, path+"/k3", "demo", fields{"value": strings.Repeat("x", 20<<10)})
}

// Who may read and who may write differs where an artifact is shared, for blobs, and for interfaces.
func TestMetadataHasItsReadersAndWriters(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	shared := get[api.Artifact](l, http.MethodPost, "/artifacts", "system", fields{"url": l.images + "/disk", "shared": true}).UUID
	l.waitArtifact(shared)
	blob := get[api.Artifact](l, http.MethodGet, "/artifacts/"+shared, "demo", nil).BlobUUID
	for _, path := range []string{"/artifacts/" + shared, "/blobs/" + blob} {
		get[any](l, http.MethodPut, path+"/metadata/os", "system", fields{"value": "linux"})
		if got := get[map[string]any](l, http.MethodGet, path+"/metadata", "demo", nil); got["os"] != "linux" {
			t.Errorf("demo reads %v", got)
		}
	}
	l.refuse(404, "artifact not found", http.MethodPut, "/artifacts/"+shared+"/metadata/os", "demo", fields{"value": "x"})
	l.refuse(404, "artifact not found", http.MethodDelete, "/artifacts/"+shared+"/metadata/os", "demo", nil)
	l.refuse(401, "unauthorized", http.MethodPut, "/blobs/"+blob+"/metadata/os", "demo", fields{"value": "x"})
	l.refuse(404, "blob not found", http.MethodPut, "/blobs/"+nothing+"/metadata/os", "system", fields{"value": "x"})
	l.refuse(404, "node not found", http.MethodPut, "/nodes/nowhere/metadata/os", "system", fields{"value": "x"})
	l.refuse(401, "unauthorized", http.MethodGet, "/nodes/node-1/metadata", "demo", nil)
	get[any](l, http.MethodPut, "/nodes/node-1/metadata/rack", "system", fields{"value": 7})
	if n := get[api.Node](l, http.MethodGet, "/nodes/node-1", "system", nil); fmt.Sprint(n.Metadata["rack"]) != "7" {
		t.Errorf("the node shows %v", n.Metadata)
	}
	l.makeNetwork("other", "theirs")
	vm := l.makeInstance("other", fields{"network_uuid": "theirs"})
	nic := "/interfaces/" + l.interfaceOf(vm)
	l.refuse(404, "interface not found", http.MethodPut, nic+"/metadata/k", "demo", fields{"value": "x"})
	get[any](l, http.MethodPut, nic+"/metadata/k", "other", fields{"value": "x"})
	if i := get[api.Interface](l, http.MethodGet, nic, "other", nil); i.Metadata["k"] != "x" {
		t.Errorf("the interface shows %v", i.Metadata)
	}
	events := l.eventsOf("interface", strings.TrimPrefix(nic, "/interfaces/"))
	if len(events) != 1 || events[0].Message != "set metadata" || events[0].Extra["key"] != "k" || len(events[0].Extra) != 2 {
		t.Errorf("events are %+v", events)
	}
}

func TestConcurrentNotesAreAllKept(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vm := l.makeInstance("demo")
	token := "Bearer " + l.token("demo")
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 5 {
				path := fmt.Sprintf("/instances/%s/metadata/k%d-%d", vm, i, j)
				if a := l.send(http.MethodPut, path, "", fields{"value": "v"}, "Authorization", token); a.status != http.StatusOK {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
			}
		})
	}
	writers.Wait()
	if got := get[map[string]any](l, http.MethodGet, "/instances/"+vm+"/metadata", "demo", nil); len(got) != 40 {
		t.Errorf("%d of 40 keys are kept", len(got))
	}
}
