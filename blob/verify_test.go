package blob_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

func addRef(k *keeper, id string, o blob.Owner) func(*view.Txn) error {
	return func(tx *view.Txn) error { return k.AddRef(tx, id, o) }
}

// rot changes one byte of a blob's content, as failing disks do.
func (k *keeper) rot(id string) {
	k.t.Helper()
	f, err := os.OpenFile(k.Path(id), os.O_RDWR, 0)
	require.NoError(k.t, err)
	defer f.Close() //nolint:errcheck // a test
	b := make([]byte, 1)
	_, err = f.ReadAt(b, 100)
	require.NoError(k.t, err)
	_, err = f.WriteAt([]byte{b[0] ^ 1}, 100)
	require.NoError(k.t, err)
}

func TestADamagedCopyIsFoundAndNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		id := k.keptFor(content(image(4096)), version(1))
		k.rot(id)
		time.Sleep(blob.DefaultVerify + time.Minute)
		b := k.get(id)
		require.Empty(t, b.Locations)
		require.Equal(t, []string{"node-1"}, b.Damaged)
		require.False(t, k.Held(id))
		require.Contains(t, k.says("blob", id), "copy on node node-1 is damaged")
		require.Contains(t, k.says("node", "node-1"), "copy of blob "+id+" is damaged")

		_, err := k.Open(k.ctx, id)
		require.ErrorIs(t, err, fault.NotFound)
		require.Contains(t, fault.Text(err), "blob missing: the copy of blob "+id+" on node-1 is damaged")
		k.use(id, "i")
		synctest.Wait()
		_, _, ok, err := k.Cached(id)
		require.False(t, ok)
		require.ErrorIs(t, err, fault.NotFound)
		_, found, err := k.ByChecksum(k.ctx, blob.SHA512, b.SHA512)
		require.NoError(t, err)
		require.False(t, found)
		require.FileExists(t, k.Path(id), "it may be all that is left")
		k = k.again(rarely)
		time.Sleep(2 * blob.DefaultVerify)
		require.FileExists(t, k.Path(id))
		require.Len(t, k.says("node", "node-1"), 1, "it is said once")
	})
}

func TestGoodCopiesAreLookedAtOnceADayAndNotAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		const blobs = 40
		for n := range blobs {
			k.keptFor(content(image(2+n)), version(n))
		}
		synctest.Wait()
		before := k.store.Stats().Commits
		time.Sleep(blob.DefaultVerify * 7 / 8)
		require.Equal(t, before, k.store.Stats().Commits, "it is not time")
		time.Sleep(blob.DefaultVerify / 16)
		some := k.store.Stats().Commits - before
		require.Positive(t, some)
		require.Less(t, some, uint64(blobs))
		time.Sleep(blob.DefaultVerify / 8)
		require.EqualValues(t, blobs, k.store.Stats().Commits-before)
		for _, b := range k.List(k.ctx) {
			require.Equal(t, []string{"node-1"}, b.Locations)
		}
	})
}

func TestReadingACopyIsNoFasterThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely, func(d *blob.Deps) { d.ReadRate = 1 << 10 })
		id := k.keptFor(content(image(16<<11)), version(1)) // 16 MiB, which is four and a half hours at that rate
		k.rot(id)
		time.Sleep(blob.DefaultVerify + 4*time.Hour - blob.DefaultVerify/8)
		require.Empty(t, k.get(id).Damaged)
		time.Sleep(blob.DefaultVerify/8 + time.Hour)
		require.Len(t, k.get(id).Damaged, 1)
	})
}

func TestWhatIsDamagedIsRepairedByTheSameContent(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*keeper, string){
		"a byte is another": func(k *keeper, id string) { k.rot(id) },
		"cut off":           func(k *keeper, id string) { require.NoError(k.t, os.Truncate(k.Path(id), 512)) },
		"gone":              func(k *keeper, id string) { require.NoError(k.t, os.Remove(k.Path(id))) },
		"a link": func(k *keeper, id string) {
			require.NoError(k.t, os.Remove(k.Path(id)))
			require.NoError(k.t, os.Symlink("/etc/passwd", k.Path(id)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := start(t, rarely)
				id := k.kept(image(2))
				other := k.keptFor(content(image(3)), version(2))
				synctest.Wait()
				harm(k, id)
				time.Sleep(blob.DefaultVerify + time.Minute)
				require.False(t, k.Held(id))

				s, err := k.Ingest(k.ctx, content(image(2)))
				require.NoError(t, err)
				n, err := k.Repair(k.ctx, s)
				require.NoError(t, err)
				require.Equal(t, 1, n)
				twin, ok := k.Twin(s)
				require.True(t, ok)
				require.Equal(t, id, twin)
				s.Done()
				synctest.Wait()
				require.True(t, k.Held(id))
				require.Contains(t, k.says("blob", id), "content repaired on node node-1")
				got, err := os.ReadFile(k.Path(id))
				require.NoError(t, err)
				require.Equal(t, image(2), got)
				k.use(id, "i")
				synctest.Wait()
				_, ok = k.cache(id)
				require.True(t, ok)
				time.Sleep(2 * seldom)
				require.Len(t, k.files(), 3, "two contents and an image; what came is only a name")
				require.True(t, k.Held(other))
			})
		})
	}
}

func TestADamagedFileThatGuestsLieOnStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		id := k.keptFor(content(iso(20, 20*2048)), version(1)) // whose image is another name of its content
		k.use(id, "i")
		synctest.Wait()
		path, ok := k.cache(id)
		require.True(t, ok)
		k.rot(id)
		time.Sleep(blob.DefaultVerify + time.Minute)
		require.FileExists(t, path)
		_, _, ok, err := k.Cached(id)
		require.False(t, ok)
		require.ErrorIs(t, err, fault.Unavailable)
		require.Contains(t, fault.Text(err), "is damaged on node node-1")
		img, ok := k.Image(id)
		require.True(t, ok, "the guest that has it goes on")
		require.Equal(t, path, img.Path)

		k.leave(id)
		synctest.Wait()
		require.NoFileExists(t, path)
		require.FileExists(t, k.Path(id))
	})
}

func TestADamagedTranscodeIsMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, keepAll)
		id := k.kept(image(2))
		time.Sleep(time.Minute)
		first := k.get(id).Transcodes[style]
		k.use(id, "i")
		k.rot(first)
		time.Sleep(blob.DefaultVerify + time.Minute)
		_, _, ok, err := k.Cached(id)
		require.False(t, ok)
		require.ErrorIs(t, err, fault.Unavailable)
		k.leave(id)
		time.Sleep(time.Minute)
		_, ok = k.cache(id)
		require.True(t, ok, "its content is good")
		second := k.get(id).Transcodes[style]
		require.NotEmpty(t, second)
		require.NotEqual(t, first, second)
		require.Empty(t, k.get(second).Damaged)
	})
}

func TestACopyThatIsFoundAgainDamagedIsKeptIfItIsTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		id := k.keptFor(content(image(2)), version(1))
		synctest.Wait()
		away := k.Dir + "/away"
		require.NoError(t, os.Rename(k.Path(id), away))
		time.Sleep(2 * seldom)
		require.False(t, k.Held(id))
		require.NoError(t, os.Rename(away, k.Path(id)))
		k.rot(id)
		time.Sleep(2 * seldom)
		require.Equal(t, []string{"node-1"}, k.get(id).Damaged)
		k.rot(id) // back to what it was
		time.Sleep(blob.DefaultVerify + time.Minute)
		require.True(t, k.Held(id))
		require.Contains(t, k.says("blob", id), "copy on node node-1 is good again")
	})
}

func TestAChecksumFindsContent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		id := k.kept(image(2))
		b := k.get(id)
		for _, algorithm := range []string{blob.SHA1, blob.SHA256, blob.SHA512, blob.XXH128} {
			found, ok, err := k.ByChecksum(k.ctx, algorithm, b.By(algorithm))
			require.NoError(t, err)
			require.True(t, ok, algorithm)
			require.Equal(t, id, found.ID)
			_, ok, err = k.ByChecksum(k.ctx, algorithm, b.By(algorithm)[1:])
			require.NoError(t, err)
			require.False(t, ok)
		}
		_, ok, err := k.ByChecksum(k.ctx, blob.SHA256, b.SHA512)
		require.NoError(t, err)
		require.False(t, ok, "another algorithm's checksum")
		_, _, err = k.ByChecksum(k.ctx, "md5", b.SHA512)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), `unknown hash algorithm "md5": use sha1, sha256, sha512, xxh128`)
		k.drop(id)
		synctest.Wait()
		_, ok, err = k.ByChecksum(k.ctx, blob.SHA512, b.SHA512)
		require.NoError(t, err)
		require.False(t, ok)
	})
}
