package instance_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/simulation"
)

// two starts a cloud of two nodes.
func two(t *testing.T) (n1, n2 *world) {
	t.Helper()
	here, there := simulation.New(), simulation.New()
	there.Store = here.Store
	n1 = begin(t, here, t.TempDir())
	return n1, begin(t, there, t.TempDir(), func(c *shakenfist.Config) { c.Node = "n2" })
}

// on is spec, placed on a node.
func on(name, node string, networks ...network.Request) instance.Spec {
	s := spec()
	s.Name, s.PlacedOn, s.Networks = name, node, networks
	return s
}

// first returns the state of node n1, as it is now.
func (w *world) first(t *testing.T) node.State {
	t.Helper()
	require.NoError(t, w.Fresh(t.Context()))
	n, err := w.Nodes.Get(t.Context(), "n1")
	require.NoError(t, err)
	return n.State
}

func (w *world) deleteFirst(t *testing.T) {
	t.Helper()
	n, err := w.Nodes.Delete(t.Context(), "n1")
	require.NoError(t, err)
	require.Equal(t, node.Deleted, n.State)
}

func TestWhatWasOnADeletedNodeEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost, left := two(t)
		lan := lost.lan(t)
		image, err := lost.Artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "system"})
		require.NoError(t, err)
		nic := network.Request{Network: lan.ID}
		running := lost.made(t, on("running", "n1", nic))
		other := lost.made(t, on("other", "n2"))
		release := lost.web.stalls()
		defer release()
		s := on("building", "n1", nic)
		s.Disks = []instance.DiskSpec{{Base: "http://images.example/slow.raw"}}
		building := lost.create(t, s)
		time.Sleep(time.Second)
		require.NoError(t, lost.stop())
		going, err := left.Instances.Delete(t.Context(), building) // nobody is there to do it
		require.NoError(t, err)
		require.Equal(t, instance.DeleteWait, going.State)
		require.Equal(t, node.Stopped, left.first(t))

		left.deleteFirst(t)
		left.wait(t, building, instance.Deleted)
		gone := left.wait(t, running.ID, instance.Error)
		require.Equal(t, "node n1, which ran the instance, was deleted", gone.Error)
		require.Equal(t, "off", gone.Power)
		time.Sleep(time.Minute)
		require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, left.Store, "n1"))
		require.Equal(t, "1 vcpus 64 MiB 1 GiB 1 instances", capacity(t, left.Store, "n2"))
		require.Empty(t, left.Networks.Interfaces(t.Context(), lan.ID))
		require.Equal(t, instance.Created, left.get(t, other.ID).State)
		require.Len(t, claims(t, left.Store), 2, "more is held than the instances that remain, and the record of the lost one")

		n, err := left.Networks.Get(t.Context(), lan.ID)
		require.NoError(t, err)
		require.Equal(t, network.Created, n.State)
		nets, err := left.Network.List(t.Context())
		require.NoError(t, err)
		require.Len(t, nets, 1, "nobody took the gateway over")
		left.made(t, on("newer", "", nic))

		left.deleted(t, running.ID) // asked for after its node was gone
		a, err := left.Artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "system"})
		require.NoError(t, err)
		require.Equal(t, image.ID, a.ID)
		synctest.Wait()
		a, err = left.Artifacts.Get(t.Context(), a.ID)
		require.NoError(t, err)
		v, ok := a.Newest()
		require.True(t, ok)
		require.True(t, left.Blobs.Held(v.Blob), "the image that only the deleted node had was not fetched again")

		time.Sleep(2 * time.Hour)
		for key := range dump(t, left.Store) {
			require.NotContains(t, []string{"o/node/n1", "o/capacity/n1", "o/instance/" + running.ID, "o/instance/" + building}, key)
		}
	})
}

func TestAFetchThatADeletedNodeOwedIsDoneByAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost, left := two(t)
		release := lost.web.stalls()
		defer release()
		a, err := lost.Artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "system"})
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, lost.stop())
		require.Equal(t, node.Stopped, left.first(t))
		left.deleteFirst(t)
		time.Sleep(time.Minute)
		a, err = left.Artifacts.Get(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, artifact.Created, a.State)
	})
}

func TestADeletedNodeThatReturnsDropsItsGuests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost, left := two(t)
		i := lost.made(t, on("vm", "n1"))
		require.NoError(t, lost.stop())
		require.Equal(t, node.Stopped, left.first(t))
		left.deleteFirst(t)
		left.wait(t, i.ID, instance.Error)
		require.Len(t, lost.domains(t), 1, "guests outlive their daemon")

		back := begin(t, lost.Parts, lost.dir)
		time.Sleep(time.Minute)
		require.Equal(t, node.Created, left.first(t))
		require.Empty(t, back.domains(t))
		back.made(t, on("another", "n1"))
		left.deleted(t, i.ID)
		require.Equal(t, "1 vcpus 64 MiB 1 GiB 1 instances", capacity(t, left.Store, "n1"))
	})
}

// A create is decided while the node lives, and committed after it is deleted.
func TestNothingIsPlacedOnANodeThatWasDeletedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost, left := two(t)
		require.NoError(t, lost.stop())
		late := begin(t, lost.Parts, lost.dir) // its death goes unnoticed until its lease runs out
		require.Equal(t, node.Created, left.first(t))
		held, goOn := make(chan struct{}), make(chan struct{})
		var once bool
		left.onStep(func(_ context.Context, s step.Step) error {
			if s.Name == "commit create instance" && !s.After && !once {
				once = true
				close(held)
				<-goOn
			}
			return nil
		})
		created := make(chan error)
		go func() {
			_, err := left.Instances.Create(t.Context(), on("vm", "n1"))
			created <- err
		}()
		<-held
		require.NoError(t, late.stop())
		require.Equal(t, node.Stopped, left.first(t))
		left.deleteFirst(t)
		time.Sleep(time.Second)
		close(goOn)
		err := <-created
		require.ErrorIs(t, err, fault.NotFound)
		require.ErrorContains(t, err, "Specified node not ready: n1 is deleted")
		require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, left.Store, "n1"))
	})
}

func TestWhatIsNotedOnANodeGoesWithIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost, left := two(t)
		require.NoError(t, lost.stop())
		require.NoError(t, left.Metadata.Put(t.Context(), metadata.Node, "n1", "rack", "7"))
		left.deleteFirst(t)
		time.Sleep(2 * time.Hour)
		_, err := left.Nodes.Get(t.Context(), "n1")
		require.ErrorIs(t, err, fault.NotFound)
		require.Empty(t, left.Metadata.Of(metadata.Node, "n1"))
	})
}
