package artifact_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// blobsOf returns n blobs, each the only version of an artifact of its own.
func (c *cloud) blobsOf(n int) []string {
	c.t.Helper()
	var ids []string
	for i := range n {
		a, err := c.upload(disk(1, uint64(100+i)), named(fmt.Sprintf("source-%d", i)))
		require.NoError(c.t, err)
		ids = append(ids, a.Versions[0].Blob)
	}
	return ids
}

// label has the tenant's label of a name mean a blob.
func (c *cloud) label(name, blob string) artifact.Artifact {
	c.t.Helper()
	a, err := c.artifacts.SetLabel(c.ctx, artifact.LabelRequest{Caller: "tenant", Name: name, Blob: blob})
	require.NoError(c.t, err)
	return a
}

func TestTheOldestVersionsGo(t *testing.T) {
	inBubble(t, func(c *cloud) {
		blobs := c.blobsOf(6)
		var a artifact.Artifact
		for _, b := range blobs {
			a = c.label("nightly", b)
		}
		require.Equal(t, []int{4, 5, 6}, indexes(a))
		require.NoError(t, c.artifacts.SetMaxVersions(c.ctx, a.ID, 1))
		a, err := c.artifacts.Get(c.ctx, a.ID)
		require.NoError(t, err)
		require.Equal(t, []int{6}, indexes(a), "at once")
		require.NoError(t, c.artifacts.SetMaxVersions(c.ctx, a.ID, 2))
		require.Equal(t, []int{6, 7}, indexes(c.label("nightly", blobs[0])))
		for _, n := range []int{-1, 0, 101} {
			err := c.artifacts.SetMaxVersions(c.ctx, a.ID, n)
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, fault.Text(err), "use a number from 1 to 100")
		}
		b, err := c.blobs.Get(c.ctx, blobs[1])
		require.NoError(t, err)
		require.Equal(t, 1, b.References, "a version that went refers to nothing")
	})
}

func TestAHundredVersionsGoInStepsThatFit(t *testing.T) {
	inBubble(t, func(c *cloud) {
		blobs := c.blobsOf(2)
		a := c.label("many", blobs[0])
		require.NoError(t, c.artifacts.SetMaxVersions(c.ctx, a.ID, artifact.MostVersions))
		for i := range artifact.MostVersions + 5 {
			a = c.label("many", blobs[(i+1)%2])
		}
		require.Len(t, a.Versions, artifact.MostVersions)
		require.NoError(t, c.artifacts.SetMaxVersions(c.ctx, a.ID, 1))
		a, err := c.artifacts.Get(c.ctx, a.ID)
		require.NoError(t, err)
		require.Equal(t, []int{artifact.MostVersions + 6}, indexes(a))
		_, err = c.artifacts.Delete(c.ctx, a.ID)
		require.NoError(t, err)
	})
}

func TestTheLastVersionTakesTheArtifactAlong(t *testing.T) {
	inBubble(t, func(c *cloud) {
		blobs := c.blobsOf(2)
		c.label("l", blobs[0])
		a := c.label("l", blobs[1])
		for _, index := range []int{-1, 0, 3} {
			_, err := c.artifacts.DeleteVersion(c.ctx, a.ID, index)
			require.ErrorIs(t, err, fault.NotFound)
			require.Contains(t, fault.Text(err), "artifact index not found")
		}
		a, err := c.artifacts.DeleteVersion(c.ctx, a.ID, 2)
		require.NoError(t, err)
		require.Equal(t, artifact.Created, a.State)
		require.Equal(t, []int{1}, indexes(a))
		require.Equal(t, []int{1, 3}, indexes(c.label("l", blobs[1])), "numbers are not used again")
		for _, index := range []int{1, 3} {
			a, err = c.artifacts.DeleteVersion(c.ctx, a.ID, index)
			require.NoError(t, err)
		}
		require.Equal(t, artifact.Deleted, a.State)
		require.Empty(t, a.Versions)
		for _, f := range []func() error{
			func() error { _, err := c.artifacts.DeleteVersion(c.ctx, a.ID, 1); return err },
			func() error { return c.artifacts.SetMaxVersions(c.ctx, a.ID, 1) },
			func() error { _, err := c.artifacts.Share(c.ctx, a.ID); return err },
			func() error { _, err := c.artifacts.Unshare(c.ctx, a.ID); return err },
			func() error { return c.artifacts.SetMaxVersions(c.ctx, "none", 1) },
		} {
			err := f()
			require.ErrorIs(t, err, fault.NotFound)
			require.Contains(t, fault.Text(err), "artifact not found")
		}
		require.NotEqual(t, a.ID, c.label("l", blobs[0]).ID)
	})
}

// TestManyChangeOneArtifactAtOnce holds the indexes to their rules whoever wins: they grow, none is used twice, there are
// never more than allowed at rest, and an artifact that is not deleted has one.
func TestManyChangeOneArtifactAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(c *cloud) {
				blobs := c.blobsOf(4)
				a := c.label("l", blobs[0])
				var mu sync.Mutex
				seen := map[string]string{} // the blob of each version, by artifact and index
				note := func(a artifact.Artifact) {
					mu.Lock()
					defer mu.Unlock()
					require.True(t, slices.IsSorted(indexes(a)))
					for _, v := range a.Versions {
						key := fmt.Sprint(a.ID, v.Index)
						if was, ok := seen[key]; ok {
							require.Equal(t, was, v.Blob, "version %d became another", v.Index)
						}
						seen[key] = v.Blob
					}
				}
				note(a)
				var all sync.WaitGroup
				for worker := range uint64(4) {
					all.Go(func() {
						random := rand.New(rand.NewPCG(seed, worker))
						for range 25 {
							note(c.change(random, blobs))
						}
					})
				}
				all.Wait()
				synctest.Wait()
				for _, a := range c.artifacts.List(c.ctx, "tenant") {
					require.NotEmpty(t, a.Versions)
					require.LessOrEqual(t, len(a.Versions), a.MaxVersions)
				}
			})
		})
	}
}

// change does something to the label l, and returns what it is after that.
func (c *cloud) change(random *rand.Rand, blobs []string) artifact.Artifact {
	a, err := c.artifacts.FindLabel(c.ctx, "tenant", "l")
	switch {
	case err != nil || random.IntN(2) == 0:
		return c.label("l", blobs[random.IntN(len(blobs))])
	case random.IntN(3) == 0:
		err = c.artifacts.SetMaxVersions(c.ctx, a.ID, 1+random.IntN(3))
	case len(a.Versions) > 0:
		_, err = c.artifacts.DeleteVersion(c.ctx, a.ID, a.Versions[random.IntN(len(a.Versions))].Index)
	}
	if !errors.Is(err, fault.NotFound) {
		require.NoError(c.t, err)
	}
	a, err = c.artifacts.Get(c.ctx, a.ID)
	require.NoError(c.t, err)
	return a
}

func TestSnapshotsAreVersionsEvenIfNothingChanged(t *testing.T) {
	inBubble(t, func(c *cloud) {
		const vm = "0c3f5a8e-6a4e-4d53-9a0b-2f2c8ed1a001"
		want := func(namespace string, most int) (string, error) {
			var id string
			err := c.view.Retry(c.ctx, func() (err error) {
				tx := view.Txn{Name: "want snapshot"}
				id, err = c.artifacts.WantSnapshot(c.ctx, &tx, artifact.SnapshotOf{Instance: vm, Device: "vda", Namespace: namespace, MaxVersions: most})
				if err != nil || len(tx.Ops) == 0 {
					return err
				}
				again, err := c.artifacts.WantSnapshot(c.ctx, &tx, artifact.SnapshotOf{Instance: vm, Device: "vda", Namespace: namespace, MaxVersions: most})
				require.NoError(t, err)
				require.Equal(t, id, again)
				_, err = c.view.Commit(c.ctx, tx)
				return err
			})
			return id, err
		}
		_, err := want("nowhere", 0)
		require.ErrorIs(t, err, fault.NotFound)
		_, err = want("tenant", 101)
		require.ErrorIs(t, err, fault.Invalid)
		id, err := want("tenant", 0)
		require.NoError(t, err)
		a, err := c.artifacts.Get(c.ctx, id)
		require.NoError(t, err)
		require.Equal(t, artifact.Initial, a.State)
		require.Equal(t, artifact.Snapshot, a.Type)
		require.Equal(t, "sf://instance/"+vm+"/vda", a.SourceURL)
		require.Equal(t, vm+"/vda", a.Name)
		time.Sleep(time.Hour)
		require.Equal(t, artifact.Initial, a.State, "nothing is fetched")

		add := func() (int, error) {
			s := c.stored(disk(1, 1), "")
			defer s.Done()
			tx := view.Txn{Name: "add version"}
			index, err := c.artifacts.AddVersion(c.ctx, &tx, id, s)
			if err == nil {
				_, err = c.view.Commit(c.ctx, tx)
			}
			return index, err
		}
		for want := 1; want <= 4; want++ {
			index, err := add()
			require.NoError(t, err)
			require.Equal(t, want, index)
		}
		a, err = c.artifacts.Get(c.ctx, id)
		require.NoError(t, err)
		require.Equal(t, []int{2, 3, 4}, indexes(a))
		require.NotEqual(t, a.Versions[0].Blob, a.Versions[1].Blob, "somebody waits for exactly this blob")
		same, err := want("tenant", 2)
		require.NoError(t, err)
		require.Equal(t, id, same)
		synctest.Wait()
		a, err = c.artifacts.Get(c.ctx, id)
		require.NoError(t, err)
		require.Equal(t, []int{3, 4}, indexes(a))

		_, err = c.artifacts.Delete(c.ctx, id)
		require.NoError(t, err)
		_, err = add()
		require.ErrorIs(t, err, fault.NotFound)
	})
}

func TestOnlySystemsArtifactsAreShared(t *testing.T) {
	inBubble(t, func(c *cloud) {
		a, err := c.upload(disk(1, 1), artifact.AddRequest{Namespace: "system", Name: "golden"})
		require.NoError(t, err)
		_, err = c.artifacts.Unshare(c.ctx, a.ID)
		require.ErrorIs(t, err, fault.Forbidden)
		require.Contains(t, fault.Text(err), "artifact not shared")
		_, err = c.artifacts.Find(c.ctx, "tenant", a.ID)
		require.ErrorIs(t, err, fault.NotFound)
		for range 2 {
			a, err = c.artifacts.Share(c.ctx, a.ID)
			require.NoError(t, err)
			require.True(t, a.Shared)
		}
		_, err = c.artifacts.Find(c.ctx, "tenant", a.ID)
		require.NoError(t, err)
		a, err = c.artifacts.Unshare(c.ctx, a.ID)
		require.NoError(t, err)
		require.False(t, a.Shared)
		require.Equal(t, []string{"create request", "version added", "shared", "unshared"}, c.messages(a.ID))

		mine, err := c.upload(disk(1, 1), named("mine"))
		require.NoError(t, err)
		_, err = c.artifacts.Share(c.ctx, mine.ID)
		require.ErrorIs(t, err, fault.Forbidden)
		require.Contains(t, fault.Text(err), "only artifacts in the system namespace can be shared")
	})
}
