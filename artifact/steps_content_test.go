package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
)

// changes is what happens in the life of artifacts that nobody fetches. Each is tried before and after its effect.
var changes = []moment{
	{name: "commit add artifact version", nth: 1},
	{name: "commit add artifact version", nth: 2},
	{name: "commit set label", nth: 1},
	{name: "commit set label", nth: 2},
	{name: "commit set label", nth: 3},
	{name: "commit set max versions", nth: 1},
	{name: "commit drop artifact versions", nth: 1},
	{name: "commit share artifact", nth: 1},
	{name: "commit share artifact", nth: 2},
	{name: "commit delete artifact version", nth: 1},
	{name: "commit delete artifact version", nth: 2},
}

// history uploads two disks, labels them many times, and takes all of it away but one upload.
func (c *cloud) history(ctx context.Context) error {
	var up [2]artifact.Artifact
	for i, name := range []string{"one", "two"} {
		s, err := c.blobs.Ingest(ctx, blob.Content{Reader: bytes.NewReader(disk(1, uint64(i))), Size: -1})
		if err != nil {
			return err
		}
		up[i], err = c.artifacts.Add(ctx, artifact.AddRequest{Namespace: "system", Name: name, Stored: s})
		s.Done()
		if err != nil {
			return err
		}
	}
	var label artifact.Artifact
	for i := range atOnce {
		var err error
		label, err = c.artifacts.SetLabel(ctx, artifact.LabelRequest{
			Caller: "system", Name: "l", Blob: up[i%2].Versions[0].Blob, MaxVersions: artifact.MostVersions,
		})
		if err != nil {
			return err
		}
	}
	if err := c.artifacts.SetMaxVersions(ctx, label.ID, 1); err != nil {
		return err
	}
	for _, change := range []func(context.Context, string) (artifact.Artifact, error){c.artifacts.Share, c.artifacts.Unshare} {
		if _, err := change(ctx, up[0].ID); err != nil {
			return err
		}
	}
	if _, err := c.artifacts.DeleteVersion(ctx, label.ID, atOnce); err != nil {
		return err
	}
	_, err := c.artifacts.DeleteVersion(ctx, up[1].ID, 1)
	return errors.Join(err, context.Cause(ctx))
}

// atOnce is a number of versions that go in more than one commit.
const atOnce = 45

func TestTheProcessCanDieAtEveryChangeOfAnArtifact(t *testing.T) {
	t.Parallel()
	for _, at := range changes {
		for _, after := range []bool{false, true} {
			at.after = after
			t.Run(at.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := stage(t)
					p := &trap{at: at}
					c := w.start(p.hook)
					ctx, kill := context.WithCancelCause(c.ctx)
					p.kill = kill
					require.Error(t, c.history(ctx))
					synctest.Wait()
					c.stop()
					require.True(t, p.reached, "the moment was not reached")

					again := w.start(nil)
					time.Sleep(2 * resync)
					again.sound()
					again.end()
				})
			})
		}
	}
}

// sound checks what holds at rest, whatever happened: each version has its blob, each blob is referred to by what there is, and
// nothing is kept beyond what an artifact keeps.
func (c *cloud) sound() {
	c.t.Helper()
	versions := map[string]int{} // by blob
	for _, a := range c.artifacts.List(c.ctx, "system") {
		require.NotEmpty(c.t, a.Versions, "%s has none", a.SourceURL)
		require.LessOrEqual(c.t, len(a.Versions), a.MaxVersions)
		for _, v := range a.Versions {
			versions[v.Blob]++
			require.True(c.t, c.blobs.Held(v.Blob), "version %d of %s is lost", v.Index, a.SourceURL)
		}
	}
	for _, b := range c.blobs.List(c.ctx) {
		require.Positive(c.t, versions[b.ID], "blob %s is nobody's", b.ID)
		for _, o := range b.Owners {
			if o.Kind == blob.Version {
				versions[b.ID]--
			}
		}
		require.Zero(c.t, versions[b.ID], "references of blob %s", b.ID)
	}
}

// end deletes what is there, and sees that nothing is left.
func (c *cloud) end() {
	c.t.Helper()
	_, err := c.artifacts.DeleteAll(c.ctx, "system")
	require.NoError(c.t, err)
	time.Sleep(linger + 3*resync)
	require.Empty(c.t, c.files())
	require.Empty(c.t, c.keys())
}
