package segment

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/internal/step"
)

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// A write can be cut off after any byte.
func TestATornTailIsDroppedAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	l := open(t, small(dir))
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 5)...))
	require.NoError(t, l.Close())
	path := files(t, dir, "*.active")[0]
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := range len(whole) {
		for _, zeros := range []int{0, 700} { // the file may have grown before it was filled
			dir := folder(t)
			torn := append(append([]byte(nil), whole[:cut]...), make([]byte, zeros)...)
			require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(path)), torn, 0o600))
			l, err := Open(t.Context(), small(dir))
			require.NoError(t, err)
			kept := cut / (len(whole) / 5)
			got := numbers(t, l, "a", 0)
			require.Equal(t, down(kept, 0), got, "cut at %d of %d", cut, len(whole))
			require.NoError(t, l.Append(t.Context(), "audit", record("a", 7)))
			require.NoError(t, l.Close())
			l, err = Open(t.Context(), small(dir))
			require.NoError(t, err)
			require.Equal(t, append([]int{7}, got...), numbers(t, l, "a", 0))
			require.NoError(t, l.Close())
			if zeros == 0 {
				require.Empty(t, files(t, dir, "*.broken"))
			}
		}
	}
}

// Any byte of a file can be wrong.
func TestADamagedByteCostsNoMoreThanWhatIsAroundIt(t *testing.T) {
	t.Parallel()
	from := folder(t)
	l := open(t, small(from))
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 150)...)) // one full file, one active
	require.NoError(t, l.Close())
	for _, suffix := range []string{segmentSuffix, activeSuffix} {
		victim := filepath.Base(files(t, from, "*"+suffix)[0])
		for at := int64(0); at < sizeOf(t, filepath.Join(from, victim)); at += 41 {
			dir := folder(t)
			require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
			data, err := os.ReadFile(filepath.Join(dir, victim))
			require.NoError(t, err)
			data[at] ^= 0x40
			require.NoError(t, os.WriteFile(filepath.Join(dir, victim), data, 0o600))
			o, log := logged(small(dir))
			l, err := Open(t.Context(), o)
			require.NoError(t, err)
			got := numbers(t, l, "a", 0)
			require.Equal(t, got, numbers(t, l, "a", 0))
			for i, n := range got {
				require.True(t, n >= 0 && n < 150 && (i == 0 || n < got[i-1]), "%v", got)
			}
			switch lost := 150 - len(got); {
			case suffix == activeSuffix:
				require.LessOrEqual(t, lost, 1, "byte %d", at)
			case len(files(t, dir, "*.broken")) == 0:
				require.LessOrEqual(t, lost, blockBytes/120+1, "byte %d", at)
			}
			if len(got) < 150 {
				require.Equal(t, 1, strings.Count(log.String(), "level="), "said once: %s", log)
			}
			require.NoError(t, l.Append(t.Context(), "audit", record("a", 200)))
			require.Equal(t, append([]int{200}, got...), numbers(t, l, "a", 0))
			require.NoError(t, l.Close())
		}
	}
}

func TestWhatWasSetAsideIsTheFirstToGo(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	o := small(dir)
	l := open(t, o)
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 1000)...))
	require.NoError(t, l.Close())
	all := files(t, dir, "*.segment")
	require.NoError(t, os.Truncate(all[1], 100))
	l = open(t, o)
	require.Len(t, files(t, dir, "*.broken"), 1)
	require.NotEmpty(t, numbers(t, l, "a", 0))
	o.Budget = l.Bytes() - 50
	require.NoError(t, l.Close())
	l = open(t, o)
	gone, err := l.Retire(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Removed{{Bytes: 100, ForRoom: true}}, gone)
	require.Empty(t, files(t, dir, "*.broken"))
}

// life appends, syncs and retires, and returns the objects that were safe on disk at its end.
func life(ctx context.Context, l *Log) (safe []string) {
	old := records("old", 0, 130)
	for i := range old {
		old[i].At = old[i].At.Add(-48 * time.Hour)
	}
	for _, batch := range []struct {
		series string
		all    []Record
	}{
		{"audit", records("a", 0, 100)},
		{"status", old},
		{"audit", records("b", 0, 200)}, // fills a file
		{"audit", records("c", 0, 10)},
	} {
		if l.Append(ctx, batch.series, batch.all...) == nil && l.Sync(ctx) == nil {
			safe = append(safe, batch.all[0].Object)
		}
		_, _ = l.Retire(ctx)
	}
	return safe
}

func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	all := map[string]int{"a": 100, "b": 200, "c": 10}
	points, names := 0, map[string]bool{}
	for nth := 0; ; nth++ {
		reached := false
		for _, after := range []bool{false, true} {
			o := small(folder(t))
			ctx, steps := killedAt(t.Context(), nth, after)
			l := open(t, o)
			safe := life(ctx, l)
			require.NoError(t, l.Close())
			if len(*steps) <= nth {
				break
			}
			reached = true
			points++
			names[(*steps)[nth]] = true
			check := func(l *Log, objects ...string) {
				for _, object := range objects {
					if object != "old" {
						require.Equal(t, down(all[object], 0), numbers(t, l, object, 0), "killed at %s (%d), after: %v", (*steps)[nth], nth, after)
					}
				}
				require.Empty(t, numbers(t, l, "old", 0))
				require.Empty(t, files(t, o.Dir, "*.partial"))
			}
			l = open(t, o)
			check(l, safe...)
			life(t.Context(), l)
			check(l, "a", "b", "c")
			require.NoError(t, l.Close())
			l = open(t, o)
			check(l, "a", "b", "c")
			require.Len(t, files(t, o.Dir, "*.active"), 1, "%s", (*steps)[nth])
			require.NoError(t, l.Close())
		}
		if !reached {
			break
		}
	}
	t.Logf("killed at %d points", points)
	require.Greater(t, points, 30)
	for _, name := range []string{"append events", "sync events", "rename event file", "remove event file"} {
		require.True(t, names[name], name)
	}
}

// Opening takes steps too: what was left is removed, what is broken is renamed.
func TestKilledWhileOpening(t *testing.T) {
	t.Parallel()
	from := folder(t)
	l := open(t, small(from))
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 250)...))
	require.NoError(t, l.Close())
	all := files(t, from, "*.segment")
	require.Len(t, all, 2)
	require.NoError(t, os.Truncate(all[0], 50))
	left := strings.TrimSuffix(all[1], segmentSuffix)
	require.NoError(t, os.WriteFile(left+activeSuffix, []byte("was closed"), 0o600))
	require.NoError(t, os.WriteFile(left+partialSuffix, []byte("not whole"), 0o600))
	for nth := range 4 {
		for _, after := range []bool{false, true} {
			o := small(folder(t))
			require.NoError(t, os.CopyFS(o.Dir, os.DirFS(from)))
			ctx, steps := killedAt(t.Context(), nth, after)
			_, err := Open(ctx, o)
			if nth == 3 {
				require.NoError(t, err)
				require.Len(t, *steps, 3)
				continue
			}
			require.ErrorIs(t, err, errDead)
			l := open(t, o)
			require.Equal(t, down(250, 250-len(numbers(t, l, "a", 0))), numbers(t, l, "a", 0))
			require.Len(t, files(t, o.Dir, "*.broken"), 1)
			require.Len(t, files(t, o.Dir, "*.segment"), 1)
			require.Len(t, files(t, o.Dir, "*.active"), 1)
			require.Empty(t, files(t, o.Dir, "*.partial"))
		}
	}
}

// A step that fails without the end of the process is taken again, and nothing is appended to a file that may be closed.
func TestAStepThatFailsIsTakenAgain(t *testing.T) {
	t.Parallel()
	for nth := range 40 {
		for _, after := range []bool{false, true} {
			o := small(folder(t))
			l := open(t, o)
			n := 0
			ctx := step.WithHook(t.Context(), func(_ context.Context, s step.Step) error {
				if s.After == after {
					if n++; n == nth+1 {
						return errDead
					}
				}
				return nil
			})
			life(ctx, l)
			life(ctx, l)
			require.NoError(t, l.Close())
			l = open(t, o)
			for object, n := range map[string]int{"a": 100, "b": 200, "c": 10} {
				require.Equal(t, down(n, 0), numbers(t, l, object, 0), "step %d failed, after: %v", nth, after)
			}
		}
	}
}

func TestAFullDiskLosesNothingAndPasses(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		needs.Missing(t, needs.Root, err)
	}
	defer full.Close() //nolint:errcheck // a device
	l := open(t, small(folder(t)))
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 5)...))
	a := l.series[1].active
	kept := a.f
	a.f = full
	err = l.Append(t.Context(), "audit", records("a", 5, 10)...)
	require.ErrorIs(t, err, fault.Exhausted)
	a.f = kept
	require.Equal(t, down(5, 0), numbers(t, l, "a", 0))
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 5, 10)...))
	require.NoError(t, l.Sync(t.Context()))
	require.Equal(t, down(10, 0), numbers(t, l, "a", 0))
}

// After a sync that failed, nobody knows what the disk has.
func TestWhatCouldNotBeSyncedIsNotThere(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0) // takes writes, and can't be synced
	require.NoError(t, err)
	defer null.Close() //nolint:errcheck // a device
	l := open(t, small(folder(t)))
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 5)...))
	require.NoError(t, l.Sync(t.Context()))
	a := l.series[1].active
	kept := a.f
	a.f = null
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 5, 10)...))
	require.ErrorIs(t, l.Sync(t.Context()), fault.Internal)
	a.f = kept
	require.Equal(t, down(5, 0), numbers(t, l, "a", 0))
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 5, 10)...))
	require.NoError(t, l.Sync(t.Context()))
	require.Equal(t, down(10, 0), numbers(t, l, "a", 0))
}
