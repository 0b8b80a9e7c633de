package cloudtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/instance"
)

// settle waits until all is quiet, and compares everything.
func (g *garden) settle() {
	g.t.Helper()
	g.mortal.mu.Lock()
	g.mortal.left = 0
	g.mortal.mu.Unlock()
	g.reboot()
	for n := 0; ; n++ {
		time.Sleep(2*often + time.Second) // two looks at everything
		synctest.Wait()
		// Uploads that were cut off wait until they expire.
		busy := slices.Concat(g.cloud.Instances.Busy(), g.cloud.Artifacts.Busy(), g.cloud.Blobs.Busy())
		if len(busy) == 0 && !g.unsettled() {
			break
		}
		require.Less(g.t, n, 30, "it does not come to rest: instances %v, artifacts %v, blobs %v",
			g.cloud.Instances.Busy(), g.cloud.Artifacts.Busy(), g.cloud.Blobs.Busy())
	}
	g.tally.Settled++
	g.compareArtifacts()
	g.compareInstances()
	g.compareFiles(g.compareBlobs())
}

// unsettled reports whether an instance is being made or taken down.
func (g *garden) unsettled() bool {
	for _, i := range g.cloud.Instances.List(g.ctx, instance.Filter{Namespace: system}) {
		if i.State != instance.Created && i.State != instance.Error {
			return true
		}
	}
	return false
}

// compareArtifacts looks whether each artifact has what it must have. What happened to some by itself is taken as it is.
func (g *garden) compareArtifacts() {
	g.t.Helper()
	there := map[string]bool{}
	for _, a := range g.cloud.Artifacts.List(g.ctx, system) {
		there[a.ID] = true
		has, want := g.has(a.ID), g.known[a.ID]
		if want != nil && !want.open {
			require.Equal(g.t, want.versions, has.versions, "versions of %s artifact %s", a.Type, a.ID)
			require.Equal(g.t, want.max, has.max)
		}
		require.LessOrEqual(g.t, len(has.versions), has.max)
		g.known[a.ID] = has
	}
	for id, want := range g.known {
		if !there[id] {
			require.True(g.t, want.open || len(want.versions) == 0, "artifact %s is gone, which had %v", id, want.versions)
			delete(g.known, id)
		}
	}
}

func (g *garden) compareInstances() {
	g.t.Helper()
	there := map[string]bool{}
	for _, i := range g.cloud.Instances.List(g.ctx, instance.Filter{Namespace: system}) {
		there[i.ID] = true
		require.Equal(g.t, instance.Created, i.State, "instance %s: %s", i.ID, i.Error)
		for _, id := range i.Images {
			if id == "" {
				continue
			}
			img, _, ok, err := g.cloud.Blobs.Cached(id)
			require.NoError(g.t, err)
			require.True(g.t, ok, "the image of %s is not there", id)
			for _, beneath := range append(g.cloud.Blobs.Backing(id), img) {
				require.FileExists(g.t, beneath.Path)
			}
		}
	}
	for id := range g.instances {
		require.True(g.t, there[id], "instance %s is gone", id)
	}
	g.instances = there
}

// compareBlobs looks whether the blobs that live are exactly those that something needs, as artifacts, instances and other
// blobs say, and whether each has its content. It returns them.
func (g *garden) compareBlobs() map[string]bool {
	g.t.Helper()
	all := map[string]blob.Blob{}
	for _, b := range g.cloud.Blobs.List(g.ctx) {
		all[b.ID] = b
	}
	needed := map[string]bool{}
	var need func(id string, depth int)
	need = func(id string, depth int) {
		b, ok := all[id]
		require.True(g.t, ok, "blob %s is referred to and does not live", id)
		g.tally.Longest = max(g.tally.Longest, depth)
		needed[id] = true
		if b.DependsOn != "" {
			need(b.DependsOn, depth+1)
		}
		for _, t := range b.Transcodes {
			need(t, 1)
			g.tally.Transcoded++
		}
	}
	for _, a := range g.cloud.Artifacts.List(g.ctx, system) {
		for _, v := range a.Versions {
			need(v.Blob, 1)
		}
	}
	for _, i := range g.cloud.Instances.List(g.ctx, instance.Filter{Namespace: system}) {
		for _, id := range i.Images {
			if id != "" {
				need(id, 1)
			}
		}
	}
	for id, b := range all {
		require.True(g.t, needed[id], "blob %s lives and nothing needs it; it says %v do", id, b.Owners)
		require.Positive(g.t, b.References)
		content, err := os.ReadFile(g.cloud.Blobs.Path(id))
		require.NoError(g.t, err)
		require.Equal(g.t, b.SHA512, sumOf(content), "the content of blob %s is another", id)
		g.tally.Compared++
	}
	return needed
}

// compareFiles looks whether what lies on disk is what is needed, and nothing half-made.
func (g *garden) compareFiles(blobs map[string]bool) {
	g.t.Helper()
	seen := 0
	require.NoError(g.t, filepath.WalkDir(g.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(g.dir, path)
		for _, suffix := range []string{".partial", ".copy", ".repair", ".held"} {
			require.False(g.t, strings.HasSuffix(path, suffix), "%s is left over", rel)
		}
		switch parts := strings.Split(rel, "/"); parts[0] {
		case "blobs":
			require.True(g.t, blobs[parts[2]], "%s is left over", rel)
			seen++
		case "image_cache":
			require.True(g.t, blobs[parts[1][:36]], "%s is left over", rel)
		case "instances":
			require.True(g.t, g.instances[parts[1]], "%s is left over", rel)
		}
		return nil
	}))
	require.Equal(g.t, len(blobs), seen, "contents on disk")
}

// clear deletes everything, and looks whether nothing is left.
func (g *garden) clear() {
	g.t.Helper()
	_, err := g.cloud.Instances.DeleteAll(g.ctx, system)
	require.NoError(g.t, err)
	_, err = g.cloud.Artifacts.DeleteAll(g.ctx, system)
	require.NoError(g.t, err)
	g.known, g.instances = map[string]*known{}, map[string]bool{}
	time.Sleep(3 * unused)
	g.settle()
	require.Empty(g.t, g.cloud.Blobs.List(g.ctx))
	require.Empty(g.t, g.cloud.Artifacts.List(g.ctx, system))
}

// find returns the artifact of a type and source, and what is known of it; nil if there is none.
func (g *garden) find(t artifact.Type, source string) (string, *known) {
	for _, a := range g.cloud.Artifacts.List(g.ctx, system) {
		if a.Type == t && a.SourceURL == source {
			return a.ID, g.knows(a.ID)
		}
	}
	return "", nil
}

// knows returns what is known of an artifact, which is what it has if it was never looked at.
func (g *garden) knows(id string) *known {
	if g.known[id] == nil {
		if has := g.has(id); has != nil {
			has.open = true // nobody knows how it came, and what else comes
			g.known[id] = has
		}
	}
	return g.known[id]
}
