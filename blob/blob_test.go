package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/stepped"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// keeper is a manager over simulations, and what it is made of.
type keeper struct {
	*blob.Manager
	t      *testing.T
	store  *memstore.Store
	view   *view.View
	events *event.Recorder
	hv     *simhv.Driver
	ctx    context.Context //nolint:containedctx // the process's life
	stop   func()
	cancel func() // as stop, without waiting for its end

	mu   sync.Mutex
	told []string // guarded by mu; whose bootable image there was news of
}

const resync = 30 * time.Second

// start must be called in a synctest bubble.
func start(t *testing.T, set ...func(*blob.Deps)) *keeper {
	t.Helper()
	s := memstore.New()
	t.Cleanup(func() { _ = s.Close() })
	return startOn(t, s, t.TempDir(), nil, set...)
}

// startOn starts a process on what another one left, whose steps h hears of.
func startOn(t *testing.T, s *memstore.Store, dir string, h step.Hook, set ...func(*blob.Deps)) *keeper {
	t.Helper()
	k := &keeper{t: t, store: s, hv: simhv.New(simhv.Options{})}
	log := slog.New(slog.DiscardHandler)
	steps := stepped.Store(s, h)
	k.view = view.New(steps, log)
	k.events = event.NewRecorder(steps, "node-1")
	d := blob.Deps{
		View: k.view, Events: k.events, Driver: stepped.Hypervisor(k.hv, h), Dir: dir, Node: "node-1", Resync: resync, Log: log,
	}
	for _, f := range set {
		f(&d)
	}
	k.Manager = blob.New(d)
	k.OnCached(func(id string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.told = append(k.told, id)
	})
	ctx, cancel := context.WithCancel(step.WithHook(t.Context(), h))
	k.ctx, k.cancel = ctx, cancel
	var running sync.WaitGroup
	running.Go(func() { k.view.Run(ctx) })
	require.NoError(t, k.view.Fresh(ctx))
	running.Go(func() { k.Run(ctx) })
	k.stop = func() { cancel(); running.Wait() }
	t.Cleanup(k.stop)
	return k
}

// again ends the process and starts another one.
func (k *keeper) again(set ...func(*blob.Deps)) *keeper {
	k.t.Helper()
	k.stop()
	return startOn(k.t, k.store, k.Dir, nil, set...)
}

// image returns a raw disk image of that many sectors.
func image(sectors int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 512*sectors)
	_, _ = random.Read(b)
	copy(b[510:], "\x55\xaa")
	return b
}

func content(b []byte) blob.Content {
	return blob.Content{Reader: bytes.NewReader(b), Size: int64(len(b))}
}

var owner = blob.Owner{Kind: blob.Version, ID: "a/1", Ahead: true} //nolint:gochecknoglobals // a constant that the language cannot say

// kept ingests content and records it as a blob that owner needs.
func (k *keeper) kept(b []byte) string {
	k.t.Helper()
	return k.keptFor(content(b), owner)
}

func (k *keeper) keptFor(c blob.Content, owner blob.Owner) string {
	k.t.Helper()
	s, err := k.Ingest(k.ctx, c)
	require.NoError(k.t, err)
	defer s.Done()
	k.commit(func(tx *view.Txn) error { return k.Record(k.ctx, tx, s, owner) })
	return s.ID
}

// commit commits what add adds.
func (k *keeper) commit(add func(tx *view.Txn) error) {
	k.t.Helper()
	tx := view.Txn{Name: "test"}
	require.NoError(k.t, add(&tx))
	_, err := k.view.Commit(k.ctx, tx)
	require.NoError(k.t, err)
}

// use has an instance of this node refer to a blob, and leave has the one named i stop.
func (k *keeper) use(id, instance string) {
	k.t.Helper()
	k.commit(func(tx *view.Txn) error { return k.AddRef(tx, id, guest(instance)) })
}

func (k *keeper) leave(id string) { k.t.Helper(); k.dropFor(id, guest("i")) }

func guest(instance string) blob.Owner {
	return blob.Owner{Kind: blob.Instance, ID: instance, Node: "node-1"}
}

func (k *keeper) drop(id string) { k.t.Helper(); k.dropFor(id, owner) }

func (k *keeper) dropFor(id string, owner blob.Owner) {
	k.t.Helper()
	k.commit(func(tx *view.Txn) error { k.DropRef(tx, id, owner); return nil })
}

// heard returns whose bootable image there was news of.
func (k *keeper) heard() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.told)
}

// get returns a blob.
func (k *keeper) get(id string) blob.Blob {
	k.t.Helper()
	b, err := k.Get(k.ctx, id)
	require.NoError(k.t, err)
	return b
}

// says returns what an object's events say, oldest first.
func (k *keeper) says(kind, id string) []string {
	k.t.Helper()
	events, err := k.events.List(k.ctx, event.Object{Kind: kind, ID: id}, "", -1)
	require.NoError(k.t, err)
	var all []string
	for _, e := range slices.Backward(events) {
		all = append(all, e.Message)
	}
	return all
}

// cache is the bootable image of a blob, and whether it is ready.
func (k *keeper) cache(id string) (string, bool) {
	k.t.Helper()
	img, _, ok, err := k.Cached(id)
	require.NoError(k.t, err)
	return img.Path, ok
}

// files returns every file in the folder, relative to it.
func (k *keeper) files() []string {
	k.t.Helper()
	files := []string{}
	require.NoError(k.t, filepath.WalkDir(k.Dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(k.Dir, path)
			files = append(files, rel)
		}
		return err
	}))
	return files
}

func (k *keeper) write(name string) {
	k.t.Helper()
	path := filepath.Join(k.Dir, name)
	require.NoError(k.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(k.t, os.WriteFile(path, []byte("left over"), 0o600))
}

func TestContentThatIsRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	torn := errors.New("the cable was torn")
	cases := map[string]struct {
		content blob.Content
		is      error
		text    string
	}{
		"shorter than said": {blob.Content{Reader: bytes.NewReader(image(2)), Size: 2048}, fault.Unavailable, "got 1024 bytes of 2048"},
		"longer than said":  {blob.Content{Reader: bytes.NewReader(image(4)), Size: 1024}, fault.Unavailable, "got 2048 bytes of 1024"},
		"cut off":           {blob.Content{Reader: io.MultiReader(bytes.NewReader(image(2)), iotest.ErrReader(torn)), Size: -1}, torn, "torn"},
		"not an image":      {blob.Content{Reader: strings.NewReader("<!DOCTYPE html><html>"), Size: -1}, fault.Invalid, "HTML"},
		"larger than the disk": {
			blob.Content{Reader: bytes.NewReader(nil), Size: 1 << 60}, fault.Exhausted, "MiB free",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := start(t)
				_, err := k.Ingest(k.ctx, c.content)
				require.ErrorIs(t, err, c.is)
				require.Contains(t, fault.Text(err), c.text)
				require.Empty(t, k.files())
			})
		})
	}
}

func TestReservedRoomIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, func(d *blob.Deps) { d.MinFree = 1 << 60 })
		_, err := k.Ingest(k.ctx, content(image(2)))
		require.ErrorIs(t, err, fault.Exhausted)
		require.Contains(t, fault.Text(err), "stay reserved; delete artifacts that are not needed")
	})
}

func TestStoredContentIsProtectedUntilDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		s, err := k.Ingest(k.ctx, content(image(2)))
		require.NoError(t, err)
		time.Sleep(3 * resync)
		require.Len(t, k.files(), 1, "nobody recorded it, and it is still there")
		s.Done()
		s.Done()
		synctest.Wait()
		require.Empty(t, k.files())
	})
}

func TestLeftOversAreSweptAndNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := k.kept(image(2))
		synctest.Wait()
		stray := uuid.NewString()
		for _, name := range []string{
			"blobs/" + stray[:2] + "/" + stray, "blobs/" + stray[:2] + "/" + stray + ".partial", "blobs/" + id[:2] + "/" + id + ".partial",
			"image_cache/" + stray + ".qcow2", "image_cache/" + stray + ".iso.partial", "image_cache/" + id + ".qcow2.partial",
			"blobs/README", "image_cache/operators-own.qcow2",
		} {
			k.write(name)
		}
		time.Sleep(2 * resync)
		require.ElementsMatch(t, []string{
			"blobs/" + id[:2] + "/" + id, "image_cache/" + id + ".qcow2", "blobs/README", "image_cache/operators-own.qcow2",
		}, k.files())
	})
}

func TestTheLastReferencesEndAndANewOneRace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		other := blob.Owner{Kind: blob.Instance, ID: "i", Node: "node-1"}
		survived := 0
		const rounds = 100
		for round := range rounds {
			id := k.kept(image(1))
			tx := view.Txn{Name: "add"}
			require.NoError(t, k.AddRef(&tx, id, other)) // it lives, as far as anybody knows
			var both sync.WaitGroup
			both.Go(func() { k.drop(id) })
			var added error
			both.Go(func() {
				for range 10 * round {
					runtime.Gosched()
				}
				_, added = k.view.Commit(k.ctx, tx)
			})
			both.Wait()
			time.Sleep(resync)
			b, err := k.Get(k.ctx, id)
			require.NoError(t, err)
			if added != nil {
				require.ErrorIs(t, added, fault.Conflict)
				require.Equal(t, blob.Deleted, b.State)
				require.NoFileExists(t, k.Path(id))
				continue
			}
			survived++
			require.Equal(t, blob.Created, b.State, "a referenced blob was ended")
			require.Equal(t, []blob.Owner{other}, b.Owners)
			require.FileExists(t, k.Path(id))
		}
		t.Logf("%d of %d blobs were saved by the new reference", survived, rounds)
	})
}

func TestAnImageThatTheHypervisorRefusesIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		k.hv.FailNext("Convert", fault.New("convert", fault.Invalid, "", "the tables of the image are damaged"))
		id := k.kept(image(2))
		synctest.Wait()
		_, _, ok, err := k.Cached(id)
		require.False(t, ok)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), "the tables of the image are damaged")
		time.Sleep(3 * resync)
		_, _, _, err = k.Cached(id)
		require.ErrorIs(t, err, fault.Invalid, "it is not tried again and again")
	})
}

func TestAnImageThatCanNotBeMadeForAWhileIsMadeLater(t *testing.T) {
	t.Parallel()
	for failures, heard := range map[int]bool{2: false, 8: true} {
		t.Run(fmt.Sprintf("after %d failures", failures), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := start(t)
				for range failures {
					k.hv.FailNext("Convert", fault.New("convert", fault.Unavailable, "", "not now"))
				}
				id := k.kept(image(2))
				told := false
				for waited := 0; ; waited++ {
					img, size, ok, err := k.Cached(id)
					if ok {
						require.NoError(t, err)
						require.EqualValues(t, 1024, size)
						require.FileExists(t, img.Path)
						break
					}
					told = told || errors.Is(err, fault.Unavailable)
					require.Less(t, waited, 600, "it is not made")
					time.Sleep(100 * time.Millisecond)
				}
				require.Equal(t, heard, told, "who waits hears of what lasts, and not of what passes")
			})
		})
	}
}

func TestGuestsDisksKeepTheImageBeneathThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := k.kept(image(2))
		synctest.Wait()
		require.NoError(t, os.Remove(k.Path(id)))
		time.Sleep(2 * resync)
		require.False(t, k.Held(id))
		img, _, ok, err := k.Cached(id)
		require.NoError(t, err)
		require.True(t, ok)
		require.FileExists(t, img.Path)

		require.NoError(t, os.WriteFile(k.Path(id), []byte("something else"), 0o600))
		time.Sleep(2 * resync)
		require.NoFileExists(t, k.Path(id), "what does not match the record is not adopted")
		require.FileExists(t, img.Path)
		k.drop(id)
		synctest.Wait()
		require.Empty(t, k.files())
	})
}

func TestAProcessThatLostItsNodeWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, func(d *blob.Deps) { d.Fence = func() store.Check { return store.At("o/alive/node-1", 7) } })
		id := k.kept(image(2)) // an intent, which needs no fence
		k.drop(id)
		time.Sleep(time.Minute)
		b, err := k.Get(k.ctx, id)
		require.NoError(t, err)
		require.Equal(t, blob.Created, b.State)
		require.FileExists(t, k.Path(id))
	})
}

func TestAnIdleNodeAsksTheStoreNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		k.kept(image(2))
		synctest.Wait()
		before := k.store.Stats()
		time.Sleep(blob.DefaultVerify / 2)
		require.Equal(t, before, k.store.Stats())
	})
}

func TestABlobIsNotThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := uuid.NewString()
		_, err := k.Get(k.ctx, id)
		require.ErrorIs(t, err, fault.NotFound)
		require.Equal(t, "blob not found", fault.Text(err))
		_, _, _, err = k.Cached(id)
		require.ErrorIs(t, err, fault.NotFound)
		require.ErrorIs(t, k.AddRef(&view.Txn{}, id, owner), fault.NotFound)
		require.Empty(t, k.List(k.ctx))
	})
}

func TestEveryMoveIsInTheTable(t *testing.T) {
	t.Parallel()
	require.Equal(t, []blob.State{blob.Deleted}, blob.Next(blob.Created))
	require.Empty(t, blob.Next(blob.Deleted))
}
