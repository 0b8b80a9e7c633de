package event_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/logbuf"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/stepped"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// node is a recorder with files, and what it works with.
type node struct {
	*event.Recorder
	store *memstore.Store
	dir   string
	log   *logbuf.Buffer
	stop  func()
}

// folder is one in memory, where there is such a thing.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "events-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// start runs a recorder whose steps are told to hook.
func start(t *testing.T, s *memstore.Store, d event.Deps, hook step.Hook) *node {
	t.Helper()
	n := &node{store: s, dir: d.Dir, log: &logbuf.Buffer{}}
	d.Store, d.Log = s, slog.New(slog.NewTextHandler(n.log, nil))
	if hook != nil {
		d.Store = stepped.Store(s, hook)
	}
	if d.Node == "" {
		d.Node = "n1"
	}
	n.Recorder = event.New(d)
	ctx, cancel := context.WithCancel(step.WithHook(t.Context(), hook))
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx) }()
	n.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(n.stop)
	return n
}

// rows returns how many keys of the prefix the store has.
func rows(t *testing.T, s *memstore.Store, prefix string) int {
	t.Helper()
	page, err := s.List(t.Context(), prefix, "", 0)
	require.NoError(t, err)
	return len(page.Entries)
}

func (n *node) record(t *testing.T, about event.Object, typ event.Type, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		require.NoError(t, n.Record(t.Context(), about, typ, fmt.Sprint(i), nil))
	}
}

func count(from, to int) string {
	var all []string
	for i := from - 1; i >= to; i-- {
		all = append(all, fmt.Sprint(i))
	}
	return strings.Join(all, " ")
}

func TestEventsMoveToFilesAfterTheDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.New(), event.Deps{Dir: folder(t)}, nil)
		time.Sleep(time.Minute) // the look at the start is over
		idle := n.store.Stats()
		time.Sleep(24 * time.Hour)
		require.Equal(t, idle, n.store.Stats(), "who has nothing to do asks the store nothing")

		n.record(t, web, event.Audit, 0, 20)
		time.Sleep(9 * time.Second)
		require.Equal(t, 20, rows(t, n.store, "e/"))
		require.Equal(t, count(20, 0), messages(t, n.Recorder, web, "", 0))
		time.Sleep(2 * time.Second)
		require.Zero(t, rows(t, n.store, ""))
		require.Equal(t, count(20, 0), messages(t, n.Recorder, web, "", 0))
		n.record(t, web, event.Status, 20, 25)
		require.Equal(t, count(25, 0), messages(t, n.Recorder, web, "", 0), "rows and files together")
		require.Equal(t, count(25, 15), messages(t, n.Recorder, web, "", 10))
		require.Equal(t, count(20, 10), messages(t, n.Recorder, web, event.Audit, 10))
		require.Equal(t, count(25, 20), messages(t, n.Recorder, web, event.Status, 10))
		require.Empty(t, messages(t, n.Recorder, web, event.Mutate, 10))

		other := web
		other.ID += "0"
		require.Empty(t, messages(t, n.Recorder, other, "", 0))
		n.stop()
		require.Empty(t, n.log.String(), "nothing worth telling")

		_, err := n.List(t.Context(), web, "", 0)
		require.ErrorIs(t, err, fault.Unavailable)
		again := start(t, n.store, event.Deps{Dir: n.dir}, nil)
		require.Equal(t, count(25, 0), messages(t, again.Recorder, web, "", 0))
		time.Sleep(11 * time.Second)
		require.Zero(t, rows(t, n.store, ""), "what the one before left is moved without anybody's writing")
		require.Equal(t, count(25, 0), messages(t, again.Recorder, web, "", 0))
	})
}

func TestAThousandRowsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.New(), event.Deps{Dir: folder(t), Delay: time.Hour}, nil)
		time.Sleep(2 * time.Hour)
		n.record(t, web, event.Audit, 0, 999)
		synctest.Wait()
		require.Equal(t, 999, rows(t, n.store, ""))
		n.record(t, web, event.Mutate, 999, 3500)
		synctest.Wait()
		require.Less(t, rows(t, n.store, ""), 1000)
		require.Equal(t, count(3500, 0), messages(t, n.Recorder, web, "", -1))
	})
}

func TestRowsOfOtherNodesStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		dead := event.NewRecorder(s, "n1-with-a-longer-name")
		require.NoError(t, dead.Record(t.Context(), web, event.Audit, "of the dead", nil))
		time.Sleep(time.Second)
		require.NoError(t, event.NewRecorder(s, "n").Record(t.Context(), web, event.Audit, "of another", nil))
		for _, key := range []string{"e/odd", "e/instance/x/odd", "e/instance/x/99-n1-1", "e/instance/" + web.ID + "0/" + strings.Repeat("0", 19) + "-n1-0000000001"} {
			_, err := s.Commit(t.Context(), nil, []store.Op{store.Put(key, []byte("not JSON"))})
			require.NoError(t, err)
		}
		n := start(t, s, event.Deps{Dir: folder(t)}, nil)
		time.Sleep(time.Second)
		n.record(t, web, event.Audit, 0, 3)
		time.Sleep(time.Minute)
		require.Equal(t, 6, rows(t, s, "e/"))
		require.Equal(t, "2 1 0 of another of the dead", messages(t, n.Recorder, web, "", 0))
	})
}

func TestSamplesGoToFilesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.New(), event.Deps{Dir: folder(t)}, nil)
		require.NoError(t, n.Sample(t.Context(), web, event.Usage, "before the files are open", nil))
		synctest.Wait()
		time.Sleep(time.Minute)
		for i := range 30 {
			require.NoError(t, n.Sample(t.Context(), web, event.Usage, fmt.Sprint(i), map[string]any{"cpu": i}))
			time.Sleep(time.Minute)
		}
		require.Equal(t, 1, rows(t, n.store, ""))
		require.Equal(t, count(30, 0), messages(t, n.Recorder, web, event.Usage, 30), "each once")
		require.Empty(t, messages(t, n.Recorder, web, event.Resources, 30))
		before := n.store.Stats()
		require.NoError(t, n.Sample(t.Context(), web, event.Resources, "r", nil))
		time.Sleep(time.Minute)
		require.Equal(t, before.Lists, n.store.Stats().Lists, "samples make nobody look for rows")
		require.Equal(t, "r 29", messages(t, n.Recorder, web, "", 2))
		require.ErrorIs(t, n.Sample(t.Context(), web, event.Audit, "x", nil), fault.Invalid)
		require.Panics(t, func() { _ = n.Sample(t.Context(), web, event.Usage, "x", map[string]any{"f": func() {}}) })

		// Another node sees the newest only.
		other := start(t, n.store, event.Deps{Dir: folder(t), Node: "n2"}, nil)
		require.Equal(t, "r 29", messages(t, other.Recorder, web, "", 0))
	})
}

func TestWhatIsForgottenIsNotListedForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		n := start(t, s, event.Deps{Dir: folder(t)}, nil)
		about := event.Object{Kind: "namespace", ID: "dev"}
		other := event.Object{Kind: "namespace", ID: "dev2"}
		forget := func() {
			_, err := n.Store().Commit(t.Context(), nil, n.Forget(about))
			require.NoError(t, err)
		}
		for round := range 3 {
			n.record(t, about, event.Audit, 0, 5)
			n.record(t, other, event.Audit, round, round+1)
			require.NoError(t, n.Sample(t.Context(), about, event.Usage, "usage", nil))
			if round > 0 {
				time.Sleep(20 * time.Second)
			}
			n.record(t, about, event.Mutate, 5, 7)
			require.NotEmpty(t, messages(t, n.Recorder, about, "", 0))
			forget()
			require.Empty(t, messages(t, n.Recorder, about, "", 0))
			n.record(t, about, event.Audit, 100, 102) // at the same moment
			require.Equal(t, "101 100", messages(t, n.Recorder, about, "", 0))
			if round > 1 {
				time.Sleep(20 * time.Second)
				require.Zero(t, rows(t, s, ""), "also that it was forgotten is in the files")
			}
			require.Equal(t, "101 100", messages(t, n.Recorder, about, "", 0))
			forget()
			require.Empty(t, messages(t, n.Recorder, about, "", 0))
		}
		require.Equal(t, "2 1 0", messages(t, n.Recorder, other, "", 0))
		time.Sleep(80 * 24 * time.Hour)
		require.Empty(t, messages(t, n.Recorder, about, "", 0))
	})
}

func TestEventsGoWhenTheirAgeIsReached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		ages := make(map[event.Type]time.Duration) // the others as they are preset
		ages[event.Mutate], ages[event.Audit], ages[event.Status] = -1, 2*day, 0
		n := start(t, memstore.New(), event.Deps{Dir: folder(t), Ages: ages}, nil)
		for i := range 40 { // ten days
			n.record(t, web, event.Audit, i, i+1)
			n.record(t, web, event.Mutate, i, i+1)
			n.record(t, web, event.Status, i, i+1)
			time.Sleep(6 * time.Hour)
		}
		require.Equal(t, count(40, 0), messages(t, n.Recorder, web, event.Mutate, -1), "for ever")
		require.Equal(t, count(40, 32), messages(t, n.Recorder, web, event.Audit, -1))
		require.Equal(t, count(40, 12), messages(t, n.Recorder, web, event.Status, -1), "the preset is seven days")
		files, err := filepath.Glob(filepath.Join(n.dir, "audit-*"))
		require.NoError(t, err)
		require.Less(t, len(files), 12)
		prunes, err := n.List(t.Context(), event.Object{Kind: "node", ID: "n1"}, event.Prune, -1)
		require.NoError(t, err)
		require.NotEmpty(t, prunes)
		require.Equal(t, "removed events that reached their age", prunes[0].Message)
		require.Contains(t, []any{"audit", "status"}, prunes[0].Extra["type"])
		require.Positive(t, prunes[0].Extra["events"])
		time.Sleep(60 * day)
		require.Equal(t, count(40, 0), messages(t, n.Recorder, web, "", -1), "only those that are kept for ever")
		require.Empty(t, messages(t, n.Recorder, event.Object{Kind: "node", ID: "n1"}, "", -1), "even what told of it")
	})
}

func TestOverBudgetAPruneEventSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.New(), event.Deps{Dir: folder(t), Budget: 256 << 10}, nil)
		time.Sleep(time.Minute)
		n.record(t, web, event.Status, 0, 2000)
		n.record(t, web, event.Audit, 0, 2000)
		time.Sleep(time.Minute)
		require.Equal(t, count(2000, 1900), messages(t, n.Recorder, web, event.Audit, 100))
		prunes, err := n.List(t.Context(), event.Object{Kind: "node", ID: "n1"}, event.Prune, -1)
		require.NoError(t, err)
		require.NotEmpty(t, prunes)
		first := prunes[len(prunes)-1]
		require.Equal(t, "removed events for want of room", first.Message)
		require.Equal(t, "status", first.Extra["type"])
		var size int64
		require.NoError(t, filepath.WalkDir(n.dir, func(path string, e os.DirEntry, err error) error {
			if info, e := os.Stat(path); e == nil && info.Mode().IsRegular() {
				size += info.Size()
			}
			return err
		}))
		require.LessOrEqual(t, size, int64(256<<10)+1000, "the prune events came after")
	})
}

func TestWhileTheDiskIsFullEventsStayInTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var full bool
		var mu sync.Mutex
		set := func(to bool) { mu.Lock(); defer mu.Unlock(); full = to }
		hook := func(_ context.Context, s step.Step) error {
			mu.Lock()
			defer mu.Unlock()
			if full && s.Name == "append events" && !s.After {
				return fault.New("test", fault.Exhausted, "", "no space left on device")
			}
			return nil
		}
		n := start(t, memstore.New(), event.Deps{Dir: folder(t)}, hook)
		time.Sleep(time.Minute)
		set(true)
		n.record(t, web, event.Audit, 0, 1500)
		sampling := step.WithHook(t.Context(), hook)
		for i := range 3 {
			require.NoError(t, n.Sample(sampling, web, event.Usage, fmt.Sprint("usage ", i), nil))
		}
		time.Sleep(time.Hour)
		require.Equal(t, 1500, rows(t, n.store, "e/"))
		require.Equal(t, "usage 2 1499 1498", messages(t, n.Recorder, web, "", 3))
		require.Equal(t, 1, strings.Count(n.log.String(), "cannot be moved"), n.log.String())
		require.Equal(t, 1, strings.Count(n.log.String(), "samples cannot be written"), n.log.String())
		commits := n.store.Stats().Commits
		require.Less(t, n.store.Stats().Lists, uint64(200), "it does not try all the time")
		time.Sleep(time.Minute)
		require.Equal(t, commits, n.store.Stats().Commits)
		set(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, rows(t, n.store, "e/"))
		require.Equal(t, count(1500, 0), messages(t, n.Recorder, web, event.Audit, -1))
		require.Equal(t, 1, strings.Count(n.log.String(), "moved to their files again"), n.log.String())
	})
}

func TestAFolderThatCannotBeMadeIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(folder(t), "events")
		require.NoError(t, os.WriteFile(dir, nil, 0o600))
		n := start(t, memstore.New(), event.Deps{Dir: dir}, nil)
		n.record(t, web, event.Audit, 0, 3)
		began := time.Now()
		_, err := n.List(t.Context(), web, "", 0)
		require.ErrorIs(t, err, fault.Unavailable)
		require.Equal(t, 5*time.Second, time.Since(began))
		time.Sleep(time.Hour)
		require.Equal(t, 3, rows(t, n.store, ""))
		require.NoError(t, os.Remove(dir))
		time.Sleep(2 * time.Minute)
		require.Zero(t, rows(t, n.store, ""))
		require.Equal(t, count(3, 0), messages(t, n.Recorder, web, "", 0))
		require.Equal(t, 2, strings.Count(n.log.String(), "\n"), n.log.String())
	})
}
