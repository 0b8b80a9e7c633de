package blob_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	header "github.com/shakenfist/shakenfist/internal/qcow2"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// thin is what a thin snapshot over another blob has.
func thin(base string) blob.Content {
	b := header.Empty(1024, base+".qcow2")
	return blob.Content{Reader: bytes.NewReader(b), Size: int64(len(b)), Base: base}
}

func version(n int) blob.Owner { return blob.Owner{Kind: blob.Version, ID: fmt.Sprintf("a/%d", n)} }

func TestAChainIsMadeFromItsBaseUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var made []string
		k := startOn(t, memstore.New(), t.TempDir(), func(_ context.Context, s step.Step) error {
			if s.Name == "hypervisor.Convert" && s.After {
				made = append(made, filepath.Base(s.Ref))
			}
			return nil
		})
		base := k.keptFor(content(image(2)), version(1))
		middle := k.keptFor(thin(base), version(2))
		top := k.keptFor(thin(middle), version(3))
		synctest.Wait()
		_, ok := k.cache(top)
		require.False(t, ok, "nobody asked for it")
		require.Len(t, k.files(), 3)

		k.use(top, "i")
		synctest.Wait()
		path, ok := k.cache(top)
		require.True(t, ok)
		require.Equal(t, filepath.Join(k.Dir, "image_cache", top+".qcow2"), path)
		require.Equal(t, []string{base + ".qcow2", middle + ".qcow2", top + ".qcow2"}, made)

		var beneath []string
		for _, img := range k.Backing(top) {
			beneath = append(beneath, filepath.Base(img.Path))
		}
		require.Equal(t, []string{middle + ".qcow2", base + ".qcow2"}, beneath)
		require.Empty(t, k.Backing(base))
		require.Equal(t, []string{"i"}, k.get(base).Instances(), "it uses what lies beneath its image")
		require.Equal(t, middle, k.get(top).DependsOn)
	})
}

func TestTheMiddleOfAChainStaysAsLongAsSomethingLiesOnIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		base := k.keptFor(content(image(2)), version(1))
		middle := k.keptFor(thin(base), version(2))
		top := k.keptFor(thin(middle), version(3))
		k.dropFor(base, version(1))
		k.dropFor(middle, version(2))
		time.Sleep(2 * resync)
		require.Len(t, k.files(), 3, "all of them are needed")
		require.Equal(t, []blob.Owner{{Kind: blob.Child, ID: top}}, k.get(middle).Owners)
		k = k.again()
		synctest.Wait()
		require.Len(t, k.files(), 3)
		k.dropFor(top, version(3))
		synctest.Wait()
		require.Empty(t, k.files(), "the last one took those beneath with it")
		for _, id := range []string{base, middle, top} {
			require.Equal(t, blob.Deleted, k.get(id).State)
		}
	})
}

func TestAChainHasAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := k.keptFor(content(image(2)), version(0))
		for n := 1; n < blob.MaxChain; n++ {
			require.NoError(t, k.CheckBase(id))
			id = k.keptFor(thin(id), version(n))
		}
		for _, err := range []error{
			k.CheckBase(id),
			k.Record(k.ctx, &view.Txn{}, &blob.Stored{ID: uuid.NewString(), Base: id}, version(99)),
		} {
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, fault.Text(err), "32 in all are the most: take a flattened snapshot")
		}
		k.use(id, "i")
		synctest.Wait()
		_, ok := k.cache(id)
		require.True(t, ok)
		require.Len(t, k.Backing(id), blob.MaxChain-1)
	})
}

func TestWhatEndedIsNoBase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		base := k.keptFor(content(image(2)), version(1))
		s, err := k.Ingest(k.ctx, thin(base))
		require.NoError(t, err)
		late := view.Txn{Name: "late"}
		require.NoError(t, k.Record(k.ctx, &late, s, version(2)))
		k.dropFor(base, version(1))
		synctest.Wait()
		_, err = k.view.Commit(k.ctx, late)
		require.ErrorIs(t, err, fault.Conflict)
		require.ErrorIs(t, k.Record(k.ctx, &view.Txn{}, s, version(2)), fault.NotFound)
		s.Done()
		synctest.Wait()
		require.Empty(t, k.files())
	})
}

func TestWhatLiesBeneathCanNotBeMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		base := k.keptFor(content(image(2)), version(1))
		top := k.keptFor(thin(base), version(2))
		k.hv.FailNext("Convert", fault.New("convert", fault.Invalid, "", "the tables of the image are damaged"))
		k.use(top, "i")
		synctest.Wait()
		_, _, ok, err := k.Cached(top)
		require.False(t, ok)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), "damaged")
		require.Contains(t, k.heard(), top, "who waits for it is told")

		require.NoError(t, os.Remove(k.Path(base)))
		time.Sleep(2 * resync)
		_, _, _, err = k.Cached(top)
		require.ErrorIs(t, err, fault.NotFound)
		require.Contains(t, fault.Text(err), base)
	})
}
