package segment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
)

func TestRecordsAreReadNewestFirst(t *testing.T) {
	t.Parallel()
	o := small(folder(t))
	l := open(t, o)
	require.Empty(t, numbers(t, l, "a", 0))
	for n := range 400 { // several files
		for _, object := range []string{"a", "b", fmt.Sprint("c", n%7)} {
			require.NoError(t, l.Append(t.Context(), "audit", record(object, n)))
		}
	}
	require.NoError(t, l.Append(t.Context(), "status", records("a", 400, 403)...))
	require.Greater(t, len(files(t, o.Dir, "audit-*.segment")), 3)
	check := func(l *Log) {
		require.Equal(t, down(403, 0), numbers(t, l, "a", 0))
		require.Equal(t, down(403, 398), numbers(t, l, "a", 5))
		require.Equal(t, down(400, 350), numbers(t, l, "a", 50, "audit"))
		require.Equal(t, down(403, 400), numbers(t, l, "a", 50, "status"))
		require.Equal(t, down(400, 0), numbers(t, l, "b", -1))
		require.Len(t, numbers(t, l, "c3", 0), 57)
		require.Empty(t, numbers(t, l, "nobody", 0))
		require.Empty(t, numbers(t, l, "a", 0, "unknown"))
	}
	check(l)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	check(open(t, o))

	_, err := l.Newest(t.Context(), "a", 1, "audit")
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.ErrorIs(t, l.Append(t.Context(), "audit", record("a", 1)), fault.Unavailable)
	require.ErrorIs(t, l.Sync(t.Context()), fault.Unavailable)
	_, err = l.Retire(t.Context())
	require.ErrorIs(t, err, fault.Unavailable)
}

func TestARecordThatIsAppendedAgainIsTheSame(t *testing.T) {
	t.Parallel()
	o := small(folder(t))
	l := open(t, o)
	for range 6 { // across files, and within one
		require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 60)...))
		require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 60)...))
	}
	require.Greater(t, len(files(t, o.Dir, "audit-*.segment")), 2)
	require.Equal(t, down(60, 0), numbers(t, l, "a", 0))
	require.Equal(t, down(60, 50), numbers(t, l, "a", 10))
}

func TestRecordsOfTheSameMomentKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, small(folder(t)))
		all := records("a", 0, 40)
		slices.Reverse(all)
		require.NoError(t, l.Append(t.Context(), "audit", all...))
		require.Equal(t, down(40, 35), numbers(t, l, "a", 5))
	})
}

func TestWhatCannotBeAppended(t *testing.T) {
	t.Parallel()
	l := open(t, small(folder(t)))
	require.ErrorIs(t, l.Append(t.Context(), "unknown", record("a", 1)), fault.Invalid)
	require.ErrorIs(t, l.Append(t.Context(), "audit", Record{Object: "a", Value: make([]byte, maxBody)}), fault.Invalid)
	require.NoError(t, l.Append(t.Context(), "audit"))
	require.NoError(t, l.Append(t.Context(), "audit", Record{Object: "a", ID: "0", At: time.Now(), Value: make([]byte, 1<<20)}), "as large as the store takes")
	require.NoError(t, l.Append(t.Context(), "audit", record("b", 1)))
	found, err := l.Newest(t.Context(), "a", 1, "audit")
	require.NoError(t, err)
	require.Len(t, found[0].Value, 1<<20)
	require.Equal(t, []int{1}, numbers(t, l, "b", 0))
}

func TestWhatIsTooOldGoesAsWholeFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := small(folder(t))
		l := open(t, o)
		_, ok := l.Due()
		require.False(t, ok)
		require.NoError(t, l.Append(t.Context(), "audit", record("a", 0)))
		_, ok = l.Due()
		require.False(t, ok, "what is kept for ever is never due")
		start := time.Now()
		for n := range 48 { // two days
			require.NoError(t, l.Append(t.Context(), "status", record("a", n)))
			time.Sleep(time.Hour)
			for due, ok := l.Due(); ok && !due.After(time.Now()); due, ok = l.Due() {
				gone, err := l.Retire(t.Context())
				require.NoError(t, err)
				for _, g := range gone {
					require.Equal(t, "status", g.Series)
					require.False(t, g.ForRoom)
					require.Positive(t, g.Records)
					require.Greater(t, time.Since(g.Newest), 24*time.Hour)
				}
			}
			require.Equal(t, down(n+1, max(0, n-23)), numbers(t, l, "a", 0, "status"), "after %s", time.Since(start))
		}
		require.LessOrEqual(t, len(files(t, o.Dir, "status-*")), slicesOfAge+2)
		time.Sleep(48 * time.Hour)
		for range 2 { // closes the last one, removes it
			_, err := l.Retire(t.Context())
			require.NoError(t, err)
		}
		require.Empty(t, files(t, o.Dir, "status-*"))
		require.Equal(t, []int{0}, numbers(t, l, "a", 0, "audit"))
		_, ok = l.Due()
		require.False(t, ok)
	})
}

func TestOverBudgetTheOldestOfTheLeastWorthGoes(t *testing.T) {
	t.Parallel()
	o := small(folder(t))
	l := open(t, o)
	var gone []Removed
	for n := range 5000 { // some 900 KB
		require.NoError(t, l.Append(t.Context(), []string{"status", "audit"}[n%2], record("a", n)))
	}
	require.Greater(t, l.Bytes(), int64(600_000))
	for n := 5000; n < 20000; n++ {
		require.NoError(t, l.Append(t.Context(), "audit", record("a", n)))
		if n%100 == 0 {
			more, err := l.Retire(t.Context())
			require.NoError(t, err)
			gone = append(gone, more...)
			require.LessOrEqual(t, l.Bytes(), o.Budget)
		}
	}
	require.NotEmpty(t, gone)
	require.Equal(t, "status", gone[0].Series)
	require.Equal(t, "audit", gone[len(gone)-1].Series, "when nothing of less worth was left")
	require.True(t, slices.IsSortedFunc(gone, func(a, b Removed) int { return -1 * compareSeries(a, b) }), "audit went before status")
	for i, g := range gone {
		require.True(t, g.ForRoom)
		if i > 0 && g.Series == gone[i-1].Series {
			require.False(t, g.Oldest.Before(gone[i-1].Oldest))
		}
	}
	require.Equal(t, down(20000, 19900), numbers(t, l, "a", 100))
	size := int64(0)
	for _, f := range files(t, o.Dir, "*") {
		size += sizeOf(t, f)
	}
	require.Equal(t, size, l.Bytes())
}

func compareSeries(a, b Removed) int {
	if a.Series == b.Series {
		return 0
	}
	if a.Series == "audit" {
		return -1
	}
	return 1
}

func TestReadersAndWritersAtOnce(t *testing.T) {
	t.Parallel()
	o := small(folder(t))
	o.Budget = 256 << 10
	l := open(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		defer cancel()
		var err error
		for n := 0; n < 4000 && err == nil; n++ {
			if err = l.Append(ctx, "audit", record("a", n)); err == nil && n%50 == 0 {
				if err = l.Sync(ctx); err == nil {
					_, err = l.Retire(ctx)
				}
			}
		}
		done <- err
	}()
	last := -1
	for ctx.Err() == nil {
		ns := numbers(t, l, "a", 10)
		if len(ns) > 0 {
			require.GreaterOrEqual(t, ns[0], last, "what was seen is not seen any more")
			require.Equal(t, down(ns[0]+1, ns[0]+1-len(ns)), ns)
			last = ns[0]
		}
	}
	require.NoError(t, <-done)
}

func TestOfTwoActiveFilesTheFirstIsClosed(t *testing.T) {
	t.Parallel()
	o := small(folder(t))
	l := open(t, o)
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 5)...))
	require.NoError(t, l.Close())
	first := files(t, o.Dir, "audit-*.active")[0]
	require.NoError(t, os.Rename(first, filepath.Join(o.Dir, "audit-0000000000.kept"))) // none of ours
	l = open(t, o)
	for n := range 3 {
		require.NoError(t, l.Append(t.Context(), "audit", record("a", 5+n)))
	}
	require.NoError(t, l.Close())
	second := files(t, o.Dir, "audit-*.active")[0]
	require.NoError(t, os.Rename(second, filepath.Join(o.Dir, name("audit", 7, activeSuffix))))
	require.NoError(t, os.Rename(filepath.Join(o.Dir, "audit-0000000000.kept"), first))
	require.NoError(t, os.WriteFile(filepath.Join(o.Dir, "notes.txt"), nil, 0o600))
	l = open(t, o)
	require.Equal(t, down(8, 0), numbers(t, l, "a", 0))
	require.Len(t, files(t, o.Dir, "audit-*.active"), 1)
	require.Len(t, files(t, o.Dir, "audit-*.segment"), 1)
	require.NoError(t, l.Append(t.Context(), "audit", record("a", 8)))
	require.Equal(t, down(9, 0), numbers(t, l, "a", 0))
	require.Len(t, files(t, o.Dir, "notes.txt"), 1, "what is not ours is left alone")
}

// A file can go bad while it is in use.
func TestDamageThatComesWhileOpenIsSaidOnce(t *testing.T) {
	t.Parallel()
	o, log := logged(small(folder(t)))
	l := open(t, o)
	require.NoError(t, l.Append(t.Context(), "audit", records("a", 0, 200)...))
	closed := files(t, o.Dir, "audit-*.segment")
	require.Len(t, closed, 1)
	active := l.series[1].active
	_, err := active.f.WriteAt([]byte("damage"), int64(active.entries[3].offset)+20)
	require.NoError(t, err)
	for range 3 {
		require.Len(t, numbers(t, l, "a", 0), 199)
	}
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	require.NoError(t, l.turn(t.Context(), l.series[1]))
	require.Len(t, numbers(t, l, "a", 0), 199, "the others are kept")

	require.NoError(t, os.Truncate(closed[0], sizeOf(t, closed[0])-footerBytes-5)) // its index
	left := len(numbers(t, l, "a", 0))
	require.Less(t, left, 199)
	require.Positive(t, left)
	require.Equal(t, 1, strings.Count(log.String(), "set aside"), log.String())
	require.Len(t, files(t, o.Dir, "*.broken"), 1)
	require.Len(t, numbers(t, l, "a", 0), left)
	require.NoError(t, os.Remove(files(t, o.Dir, "*.segment")[0]))
	require.Empty(t, numbers(t, l, "a", 0), "a file that went is no error")
}
