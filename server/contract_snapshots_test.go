package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
)

// snapshotRows copy the second disk of an instance: guests write to their first, and what they write tells their UUIDs.
func (l *lab) snapshotRows() {
	l.t.Helper()
	const path = "/instances/web1/snapshot"
	l.makeNetwork("demo", "lan")
	made := get[api.Instance](l, http.MethodPost, "/instances", "demo", fullInstance())
	l.waitInstance(made.UUID, instance.Created)
	l.golden("snapshot-list-empty", http.MethodGet, path, "demo", nil)
	l.golden("snapshot-take-nothing", http.MethodPost, path, "demo", fields{"device": "vdz"})
	l.refuse(400, "max_versions is 101", http.MethodPost, path, "demo", fields{"max_versions": 101})
	l.refuse(400, "thin and flatten exclude each other", http.MethodPost, path, "demo", fields{"thin": true, "flatten": true})

	l.loops.Lock()
	taken := decode200[map[string]api.TakenSnapshot](l, l.golden("snapshot-take", http.MethodPost, path, "demo",
		fields{"all": false, "device": "sdc", "thin": false, "max_versions": 2}))
	l.golden("snapshot-list-initial", http.MethodGet, path, "demo", nil)
	l.loops.Unlock()
	l.waitSnapshot(made.UUID, taken["sdc"].Blob, instance.SnapshotTaken)
	l.golden("snapshot-list", http.MethodGet, path, "demo", nil)
	if list := get[[]api.Snapshot](l, http.MethodGet, path, "demo", nil); len(list) != 1 || list[0].Created < 1e9 || list[0].UUID != taken["sdc"].Artifact {
		l.t.Errorf("listed as %+v", list)
	}
	l.guests.FailNext("CopyDisk", fault.New("test", fault.Exhausted, "", "the disk is full"))
	failed := get[map[string]api.TakenSnapshot](l, http.MethodPost, path, "demo", nil)
	l.waitSnapshot(made.UUID, failed["vda"].Blob, instance.SnapshotFailed)
	l.golden("snapshot-list-error", http.MethodGet, path, "demo", nil)
	l.labelledSnapshot(taken["sdc"].Blob)
	l.snapshotsThatAreNotReady(made.UUID)
}

// labelledSnapshot gives a copy a label, and boots from it.
func (l *lab) labelledSnapshot(blob string) {
	l.t.Helper()
	get[any](l, http.MethodPost, "/label/golden", "demo", fields{"blob_uuid": blob})
	body := blankInstance()
	body["name"], body["disk"] = "born", []any{fields{"base": "label:golden"}}
	born := get[api.Instance](l, http.MethodPost, "/instances", "demo", body)
	if born.DiskSpec[0].BlobUUID != blob {
		l.t.Errorf("the label means %q, want %q", born.DiskSpec[0].BlobUUID, blob)
	}
	l.waitInstance(born.UUID, instance.Created)
}

func (l *lab) snapshotsThatAreNotReady(gone string) {
	l.t.Helper()
	get[any](l, http.MethodDelete, "/instances/"+gone, "demo", nil)
	l.waitInstance(gone, instance.Deleted)
	l.refuse(409, "instance "+gone+" is not ready (deleted)", http.MethodPost, "/instances/"+gone+"/snapshot", "demo", nil)
	if list := get[[]api.Snapshot](l, http.MethodGet, "/instances/"+gone+"/snapshot", "demo", nil); len(list) != 2 {
		l.t.Errorf("%d copies of a deleted instance, want those there were: %+v", len(list), list)
	}
	l.loops.Lock()
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", blankInstance())
	l.refuse(406, "instance "+vm.UUID+" is not ready (initial)", http.MethodPost, "/instances/"+vm.UUID+"/snapshot", "demo", nil)
	l.loops.Unlock()
	l.waitInstance(vm.UUID, instance.Created)
}

func (l *lab) waitSnapshot(id, blob string, state instance.SnapshotState) {
	l.t.Helper()
	for range 2000 {
		list, err := l.cloud.Instances.Snapshots(l.t.Context(), id)
		if err != nil {
			l.t.Fatal(err)
		}
		if slices.ContainsFunc(list, func(s instance.Snapshot) bool { return s.Blob == blob && s.State == state }) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	l.t.Fatalf("the snapshot did not get to %s", state)
}
