package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/instance"
)

// snapshotRoutes are the routes of copies of instances' disks.
func (s *server) snapshotRoutes() []route {
	return []route{
		{
			method: http.MethodPost, pattern: api.PathInstanceSnapshot, who: owner, handle: s.onInstance(s.takeSnapshot), args: snapshotArgs,
			summary: "copy disks of an instance, all as they are at one moment", out: map[string]api.TakenSnapshot{},
			errs: []int{http.StatusNotAcceptable, http.StatusConflict},
		},
		{
			method: http.MethodGet, pattern: api.PathInstanceSnapshot, who: owner, handle: s.onInstance(s.listSnapshots),
			summary: "list the copies of an instance's disks, newest last", out: api.List[api.Snapshot]{},
		},
	}
}

var snapshotArgs = []arg{
	{name: "all", kind: argBool, doc: "every disk, and the variables of UEFI firmware; absent: only the first disk"},
	{name: "device", kind: argText, empty: true, doc: "only this one, such as vda or nvram", example: "vda"},
	{name: "thin", kind: argBool, doc: "only what the guest itself wrote, on top of the image beneath; absent or false: the cloud's default"},
	{name: "flatten", kind: argBool, doc: "a copy that is whole by itself, whatever the cloud's default; absent: false"},
	{name: "max_versions", kind: argInt, doc: "how many copies of each disk are kept, 1 to 100; absent or 0: as it is"},
}

func (s *server) takeSnapshot(c *call, i instance.Instance) (any, error) {
	if err := mustBeActive(i); err != nil {
		return nil, err
	}
	r := instance.SnapshotRequest{
		All: c.args.flag("all", false), Device: c.args.text("device"), MaxVersions: c.args.integer("max_versions", 0),
	}
	thin, flat := c.args.flag("thin", false), c.args.flag("flatten", false)
	switch {
	case thin && flat:
		return nil, invalid("thin and flatten exclude each other")
	case thin || flat:
		r.Thin = &thin
	}
	taken, err := s.cloud.Instances.Snapshot(c.Context(), i.ID, r)
	if err != nil {
		return nil, err
	}
	v := map[string]api.TakenSnapshot{}
	for _, t := range taken {
		v[t.Device] = api.TakenSnapshot{SourceURL: t.SourceURL, Artifact: t.Artifact, Blob: t.Blob}
	}
	return v, nil
}

func (s *server) listSnapshots(c *call, i instance.Instance) (any, error) {
	all, err := s.cloud.Instances.Snapshots(c.Context(), i.ID)
	if err != nil {
		return nil, err
	}
	views := api.List[api.Snapshot]{}
	for _, snapshot := range all {
		b := blob.Blob{ID: snapshot.Blob, State: blob.State(snapshot.State), Modified: snapshot.Created, FetchedAt: snapshot.Created}
		if snapshot.State == instance.SnapshotTaken {
			if b, err = s.cloud.Blobs.Get(c.Context(), snapshot.Blob); err != nil {
				continue // its last reference has just gone
			}
		}
		views = append(views, s.snapshotView(c, snapshot, b))
	}
	return views, nil
}

// snapshotView shows a version of an artifact as its blob, under the artifact's UUID.
func (s *server) snapshotView(c *call, of instance.Snapshot, b blob.Blob) api.Snapshot {
	v := api.Snapshot{
		Blob: s.blobWithInstances(c, b), BlobUUID: of.Blob, Type: string(of.Artifact.Type), SourceURL: of.Artifact.SourceURL,
		Namespace: of.Artifact.Namespace, Shared: of.Artifact.Shared, MaxVersions: of.Artifact.MaxVersions,
		Device: of.Device, Created: of.Created.Unix(), ErrorMessage: of.Error,
	}
	v.UUID = of.Artifact.ID
	if of.State != instance.SnapshotTaken {
		v.ImageInfo, v.Locations = nil, nil
	}
	return v
}
