package cloudtest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"time"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/namespace"
)

const system = namespace.System

// press answers for a server of images whose content is another with every edition.
type press struct{ edition *atomic.Int64 }

func (p press) RoundTrip(r *http.Request) (*http.Response, error) {
	b := diskOf(int(p.edition.Load() + int64(len(r.URL.Path))))
	w := httptest.NewRecorder()
	_, _ = w.Write(b)
	a := w.Result()
	a.Request = r
	return a, nil
}

// deed is something that may happen.
type deed struct {
	name   string
	weight int // how often, compared with others
	do     func() error
}

func (g *garden) operations() []deed {
	return []deed{
		{"add content", 16, g.add},
		{"upload content", 6, g.upload},
		{"cache a URL", 6, g.cache},
		{"set a label", 12, g.label},
		{"set max versions", 4, g.bound},
		{"delete a version", 8, g.deleteVersion},
		{"delete an artifact", 8, g.deleteArtifact},
		{"create an instance", 10, g.create},
		{"write to a disk", 8, g.write},
		{"delete an instance", 8, g.deleteInstance},
		{"take a snapshot", 12, g.snapshot},
		{"switch an instance", 4, g.power},
		{"let time pass", 12, g.wait},
		{"let hours pass", 1, g.waitLong},
		{"die", 3, g.die},
	}
}

// add adds content that lies here already to an artifact.
func (g *garden) add() error {
	b := g.disk()
	s, err := g.cloud.Blobs.Ingest(g.ctx, blob.Content{Reader: bytes.NewReader(b), Size: int64(len(b))})
	if err != nil {
		return err
	}
	defer s.Done()
	return g.addTo(b, artifact.AddRequest{Stored: s})
}

// addTo has an artifact get content.
func (g *garden) addTo(b []byte, r artifact.AddRequest) error {
	r.Namespace, r.Name = system, g.name("upload")
	id, was := g.find(artifact.Image, "sf://upload/system/"+r.Name)
	if was == nil && len(g.known) > mostArtifacts {
		return errNothing
	}
	want := with(was, sumOf(b))
	a, err := g.cloud.Artifacts.Add(g.ctx, r)
	if err == nil {
		id = a.ID
	}
	g.changed(id, want, err)
	return err
}

// Bounds of what grows, so that things meet often.
const (
	mostArtifacts = 16
	mostInstances = 8
)

// upload adds content that is sent piece by piece.
func (g *garden) upload() error {
	b := g.disk()
	u, err := g.cloud.Uploads.Create(g.ctx, system)
	if err != nil {
		return err
	}
	half := g.random.IntN(len(b))
	for _, piece := range [][]byte{b[:half], b[half:]} {
		if _, err := g.cloud.Uploads.Append(g.ctx, u.ID, bytes.NewReader(piece)); err != nil {
			return err
		}
	}
	s, end, release, err := g.cloud.Uploads.Take(g.ctx, u.ID, blob.Content{Size: -1})
	if err != nil {
		return err
	}
	defer release()
	return g.addTo(b, artifact.AddRequest{Stored: s, Upload: u.ID, With: end})
}

// cache asks for an image by URL, which may be another by now.
func (g *garden) cache() error {
	if g.random.IntN(2) == 0 {
		g.edition.Add(1)
	}
	url := fmt.Sprintf("%s/%s", bubbleImages, g.name("image"))
	id, was := g.find(artifact.Image, url)
	if was == nil && len(g.known) > mostArtifacts {
		return errNothing
	}
	a, err := g.cloud.Artifacts.Cache(g.ctx, artifact.Request{URL: url, Namespace: system})
	if err == nil {
		id = a.ID
	}
	g.changed(id, known{open: true}, err)
	return err
}

// label has a label mean a blob that is referred to by something.
func (g *garden) label() error {
	a, ok := g.artifact()
	v, has := a.Newest()
	if !ok || !has {
		return errNothing
	}
	b, err := g.cloud.Blobs.Get(g.ctx, v.Blob)
	if err != nil {
		return err
	}
	name := g.name("label")
	id, was := g.find(artifact.Label, "sf://label/system/"+name)
	if was == nil && len(g.known) > mostArtifacts {
		return errNothing
	}
	want := with(was, b.SHA512)
	made, err := g.cloud.Artifacts.SetLabel(g.ctx, artifact.LabelRequest{Caller: system, Name: name, Blob: v.Blob})
	if err == nil {
		id = made.ID
	}
	g.changed(id, want, err)
	return err
}

func (g *garden) bound() error {
	a, ok := g.artifact()
	if !ok {
		return errNothing
	}
	was, n := g.knows(a.ID), 1+g.random.IntN(4)
	want := known{max: n, open: was.open, versions: was.versions[max(0, len(was.versions)-n):]}
	err := g.cloud.Artifacts.SetMaxVersions(g.ctx, a.ID, n)
	g.changed(a.ID, want, err)
	return err
}

func (g *garden) deleteVersion() error {
	a, ok := g.artifact()
	if !ok || len(a.Versions) == 0 {
		return errNothing
	}
	n := g.random.IntN(len(a.Versions))
	was := g.knows(a.ID)
	want := known{max: was.max, open: was.open}
	if !was.open {
		want.versions = slices.Delete(slices.Clone(was.versions), n, n+1)
	}
	_, err := g.cloud.Artifacts.DeleteVersion(g.ctx, a.ID, a.Versions[n].Index)
	g.changed(a.ID, want, err)
	return err
}

func (g *garden) deleteArtifact() error {
	a, ok := g.artifact()
	if !ok {
		return errNothing
	}
	_, err := g.cloud.Artifacts.Delete(g.ctx, a.ID)
	g.changed(a.ID, known{}, err)
	return err
}

// create asks for an instance over something that is there.
func (g *garden) create() error {
	a, ok := g.artifact()
	v, has := a.Newest()
	if !ok || !has || len(g.instances) >= mostInstances {
		return errNothing
	}
	base := "sf://blob/" + v.Blob
	switch {
	case g.random.IntN(2) == 0:
	case a.Type == artifact.Label:
		base = a.SourceURL
	case a.Type == artifact.Snapshot:
		base = "sf://snapshot/" + a.ID
	}
	i, err := g.cloud.Instances.Create(g.ctx, instance.Spec{
		Name: fmt.Sprintf("i%d", g.tally.Operations), Namespace: system, CPUs: 1, MemoryMiB: 64,
		Disks: []instance.DiskSpec{{Base: base}, {SizeGiB: 1}},
	})
	if err == nil {
		g.instances[i.ID] = true
	}
	return err
}

// anInstance returns one at random.
func (g *garden) anInstance() (instance.Instance, bool) {
	all := g.cloud.Instances.List(g.ctx, instance.Filter{Namespace: system})
	if len(all) == 0 {
		return instance.Instance{}, false
	}
	return all[g.random.IntN(len(all))], true
}

func (g *garden) write() error {
	i, ok := g.anInstance()
	if !ok || i.State != instance.Created {
		return errNothing
	}
	return g.Parts.Hypervisor.Write(i.ID, []string{"vda", "vdb"}[g.random.IntN(2)], fmt.Sprintf("line %d\n", g.tally.Operations))
}

func (g *garden) deleteInstance() error {
	i, ok := g.anInstance()
	if !ok {
		return errNothing
	}
	_, err := g.cloud.Instances.Delete(g.ctx, i.ID)
	if err == nil || g.mortal.isDead() {
		delete(g.instances, i.ID) // or it may be
	}
	g.loosen(i.ID)
	return err
}

// loosen notes that the snapshots of an instance may be anything: some may be under way.
func (g *garden) loosen(instanceID string) {
	for _, a := range g.cloud.Artifacts.Snapshots(instanceID) {
		if k := g.knows(a.ID); k != nil {
			k.open = true
		}
	}
}

func (g *garden) snapshot() error {
	i, ok := g.anInstance()
	if !ok || i.State != instance.Created || len(g.known) > mostArtifacts {
		return errNothing
	}
	thin := g.random.IntN(4) > 0
	_, err := g.cloud.Instances.Snapshot(g.ctx, i.ID, instance.SnapshotRequest{All: g.random.IntN(3) == 0, Thin: &thin})
	g.loosen(i.ID)
	return err
}

func (g *garden) power() error {
	i, ok := g.anInstance()
	if !ok || i.State != instance.Created {
		return errNothing
	}
	if g.random.IntN(2) == 0 {
		return g.cloud.Instances.PowerOff(g.ctx, i.ID)
	}
	return g.cloud.Instances.PowerOn(g.ctx, i.ID)
}

func (g *garden) wait() error {
	time.Sleep(time.Duration(g.random.IntN(20_000)) * time.Millisecond)
	return nil
}

// waitLong lets pass what it takes for something unused to expire. A process that dies meanwhile is started again, or
// instances would have been made for too long.
func (g *garden) waitLong() error {
	for range unused / time.Minute {
		time.Sleep(time.Minute)
		g.reboot()
	}
	return nil
}

// die has the process end at one of its next steps.
func (g *garden) die() error {
	g.mortal.mu.Lock()
	defer g.mortal.mu.Unlock()
	g.mortal.left = 1 + g.random.IntN(60)
	return nil
}
