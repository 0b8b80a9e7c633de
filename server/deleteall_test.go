package server

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
)

var confirmed = fields{"confirm": true} //nolint:gochecknoglobals // a constant

func TestDeleteAllMustBeMeant(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeNetwork("demo", "lan")
	l.makeInstance("demo")
	image := get[api.Artifact](l, http.MethodPost, "/artifacts", "demo", fields{"url": l.images + "/disk"}).UUID
	l.waitArtifact(image)
	before := l.everything()
	for _, path := range []string{"/instances", "/networks", "/artifacts"} {
		for _, value := range []string{`null`, `false`, `1`, `0`, `"true"`, `"True"`, `[true]`, `{"true":true}`, `""`} {
			l.refuse(400, "parameter confirm is not set true", http.MethodDelete, path, "demo", `{"confirm": `+value+`}`)
		}
		l.refuse(400, "parameter confirm is not set true", http.MethodDelete, path, "demo", nil)
		l.refuse(400, "parameter confirm is not set true", http.MethodDelete, path, "system", nil)
		for _, value := range []string{`null`, `""`, `7`, `true`, `["demo"]`, `{}`} {
			l.refuse(400, "system user must specify parameter namespace", http.MethodDelete, path, "system", `{"confirm": true, "namespace": `+value+`}`)
		}
		l.refuse(404, "namespace not found", http.MethodDelete, path, "system", fields{"confirm": true, "namespace": "nowhere"})
		l.refuse(400, "namespace is not a string", http.MethodDelete, path, "demo", fields{"confirm": true, "namespace": 7})
		for _, name := range []string{"other", "system", "nowhere"} {
			l.refuse(401, "unauthorized", http.MethodDelete, path, "demo", fields{"confirm": true, "namespace": name})
		}
	}
	if l.everything() != before {
		t.Error("what was refused changed something")
	}
	for _, path := range []string{"/networks?confirm=true", "/artifacts?confirm=true&namespace=demo"} {
		if ids := get[[]string](l, http.MethodDelete, path, "demo", nil); len(ids) != 1 {
			t.Errorf("%s deletes %v", path, ids)
		}
	}
	if ids := get[[]string](l, http.MethodDelete, "/instances", "demo", fields{"confirm": true, "namespace": "demo"}); len(ids) != 1 {
		t.Errorf("deleted are %v", ids)
	}
}

// Clients wait for each UUID in the answer to be gone, so those that are gone already are not in it.
func TestDeleteAllAnswersWithWhatIsNotGoneYet(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	gone := l.makeInstance("demo")
	get[api.Instance](l, http.MethodDelete, "/instances/"+gone, "demo", nil)
	l.waitInstance(gone, instance.Deleted)
	first, second, theirs := l.makeInstance("demo"), l.makeInstance("demo"), l.makeInstance("other")
	want := []string{first, second}
	slices.Sort(want)
	l.loops.Lock()
	for range 2 { // the second time they are on their way
		if ids := get[[]string](l, http.MethodDelete, "/instances", "demo", confirmed); !slices.Equal(ids, want) {
			t.Errorf("deleted are %v, want %v", ids, want)
		}
	}
	l.loops.Unlock()
	for _, id := range want {
		l.waitInstance(id, instance.Deleted)
		requests := 0
		for _, e := range l.eventsOf("instance", id) {
			if e.Message == "delete request" {
				requests++
			}
		}
		if requests != 1 {
			t.Errorf("%d delete requests are recorded", requests)
		}
	}
	if ids := get[[]string](l, http.MethodDelete, "/instances", "demo", confirmed); len(ids) != 0 {
		t.Errorf("deleted are %v", ids)
	}
	if i := get[api.Instance](l, http.MethodGet, "/instances/"+theirs, "other", nil); i.State != "created" {
		t.Errorf("another tenant's instance is %s", i.State)
	}
}

func TestNetworksInUseStayUnlessTheyMayWait(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	used, unused, going := l.makeNetwork("demo", "used"), l.makeNetwork("demo", "unused"), l.makeNetwork("demo", "going")
	vm := l.makeInstance("demo", fields{"network_uuid": used}, fields{"network_uuid": going})
	get[api.Network](l, http.MethodDelete, "/networks/going", "demo", nil) // waits for the instance
	deleted := []string{unused, going}
	slices.Sort(deleted)
	a := l.send(http.MethodDelete, "/networks", "demo", confirmed)
	want := fmt.Sprintf(`{"error":{"deleted":["%s","%s"],"unable":["%s"]},"status":403}`+"\n", deleted[0], deleted[1], used)
	if a.status != http.StatusForbidden || string(a.body) != want {
		t.Errorf("got %d %s, want %s", a.status, a.body, want)
	}
	l.waitNetwork(unused, network.Deleted)
	if n := get[api.Network](l, http.MethodGet, "/networks/used", "demo", nil); n.State != "created" {
		t.Errorf("the network in use is %s", n.State)
	}
	get[api.Instance](l, http.MethodDelete, "/instances/"+vm, "demo", nil)
	l.waitInstance(vm, instance.Deleted)
	if ids := get[[]string](l, http.MethodDelete, "/networks", "demo", confirmed); !slices.Contains(ids, used) {
		t.Errorf("deleted are %v", ids)
	}
	l.waitNetwork(used, network.Deleted)
}

// System means the whole cluster, of instances and networks; of artifacts only system's.
func TestSystemMeansEverybody(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	all := map[string][]string{}
	for _, tenant := range []string{"demo", "other", "system"} {
		all["/networks"] = append(all["/networks"], l.makeNetwork(tenant, "lan"))
		all["/instances"] = append(all["/instances"], l.makeInstance(tenant))
		image := get[api.Artifact](l, http.MethodPost, "/artifacts", tenant, fields{"url": l.images + "/" + tenant}).UUID
		l.waitArtifact(image)
		if tenant == "system" {
			all["/artifacts"] = []string{image}
		}
	}
	for path, want := range all {
		slices.Sort(want)
		got := get[[]string](l, http.MethodDelete, path, "system", fields{"confirm": true, "namespace": "system"})
		if !slices.Equal(got, want) {
			t.Errorf("%s: deleted are %v, want %v", path, got, want)
		}
	}
	if left := get[[]api.Artifact](l, http.MethodGet, "/artifacts", "system", nil); len(left) != 2 {
		t.Errorf("%d artifacts are left, want those of demo and other", len(left))
	}
}

func TestAThousandNetworksAreDeletedInOneRequest(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const many = 1000
	l.loops.Lock() // they need not be made
	for i := range many {
		_, err := l.cloud.Networks.Create(event.WithRequestID(t.Context(), "many"), network.Spec{
			Name: fmt.Sprint("n", i), Namespace: "demo", Netblock: fmt.Sprintf("10.%d.%d.0/29", i/256, i%256),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	before, start := l.state.Stats().Commits, time.Now()
	ids := get[[]string](l, http.MethodDelete, "/networks", "demo", fields{"confirm": true, "clean_wait": true})
	took, commits := time.Since(start), l.state.Stats().Commits-before
	l.loops.Unlock()
	if len(ids) != many || commits > many/30 || took > 5*time.Second {
		t.Errorf("%d of %d networks were deleted with %d commits in %v", len(ids), many, commits, took)
	}
	t.Logf("%d networks with %d commits in %v", len(ids), commits, took)
	for _, id := range ids {
		l.waitNetwork(id, network.Deleted)
	}
}
