package upload_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/stepped"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
	"github.com/shakenfist/shakenfist/upload"
)

const (
	linger = time.Hour
	resync = 5 * time.Minute
)

// world is what outlives a process.
type world struct {
	t     *testing.T
	store *memstore.Store
	dir   string
}

// node is a process.
type node struct {
	*world
	view    *view.View
	events  *event.Recorder
	blobs   *blob.Manager
	uploads *upload.Manager
	ctx     context.Context //nolint:containedctx // the process's life
	stop    func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: memstore.New(), dir: t.TempDir()}
	t.Cleanup(func() { _ = w.store.Close() })
	return w
}

// start starts a process whose steps h hears of.
func (w *world) start(h step.Hook, set ...func(*upload.Deps, *blob.Deps)) *node {
	w.t.Helper()
	var s store.Store = w.store
	hv := stepped.Hypervisor(simhv.New(simhv.Options{}), h)
	if h != nil {
		s = stepped.Store(w.store, h)
	}
	ctx, cancel := context.WithCancel(step.WithHook(w.t.Context(), h))
	v := view.New(s, slog.New(slog.DiscardHandler))
	n := &node{world: w, view: v, events: event.NewRecorder(s, "node-1"), ctx: ctx}
	bd := blob.Deps{View: v, Events: n.events, Driver: hv, Dir: w.dir, Node: "node-1", Linger: linger, Resync: resync}
	ud := upload.Deps{View: v, Events: n.events, Dir: w.dir, Node: "node-1", Resync: resync}
	for _, f := range set {
		f(&ud, &bd)
	}
	n.blobs = blob.New(bd)
	ud.Blobs = n.blobs
	n.uploads = upload.New(ud)
	var running sync.WaitGroup
	for _, run := range []func(context.Context){v.Run, n.blobs.Run, n.uploads.Run} {
		running.Go(func() { run(ctx) })
	}
	var once sync.Once
	n.stop = func() { once.Do(func() { cancel(); running.Wait() }) }
	w.t.Cleanup(n.stop)
	require.NoError(w.t, v.Fresh(ctx))
	synctest.Wait()
	return n
}

// inBubble runs f on a process.
func inBubble(t *testing.T, f func(n *node), set ...func(*upload.Deps, *blob.Deps)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t).start(nil, set...)) })
}

// begun is a new upload with content.
func (n *node) begun(content []byte) string {
	n.t.Helper()
	u, err := n.uploads.Create(n.ctx, "tenant")
	require.NoError(n.t, err)
	n.append(u.ID, content, len(content))
	return u.ID
}

// append adds content to an upload, of which there are total bytes then.
func (n *node) append(id string, content []byte, total int) {
	n.t.Helper()
	got, err := n.uploads.Append(n.ctx, id, bytes.NewReader(content))
	require.NoError(n.t, err)
	require.Equal(n.t, int64(total), got)
}

// version is what refers to the blob that an upload becomes.
func version(id string) blob.Owner { return blob.Owner{Kind: blob.Version, ID: id + "/1"} }

// finish makes an upload a blob.
func (n *node) finish(ctx context.Context, id string, kind blob.Kind) (string, error) {
	s, end, release, err := n.uploads.Take(ctx, id, blob.Content{Kind: kind})
	if err != nil {
		return "", err
	}
	defer release()
	tx := view.Txn{Name: "finish upload", Ref: id}
	if err := n.blobs.Record(ctx, &tx, s, version(id)); err != nil {
		return "", err
	}
	end(&tx)
	_, err = n.view.Commit(ctx, tx)
	return s.ID, err
}

// files returns the names of all uploads' files.
func (w *world) files(folder string) []string {
	w.t.Helper()
	files := []string{}
	err := filepath.WalkDir(filepath.Join(w.dir, folder), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, filepath.Base(path))
		}
		return err
	})
	require.NoError(w.t, err)
	return files
}

// records returns the IDs of all uploads in the store.
func (w *world) records() []string {
	w.t.Helper()
	page, err := w.store.List(context.WithoutCancel(w.t.Context()), "o/upload/", "", 0)
	require.NoError(w.t, err)
	ids := []string{}
	for _, e := range page.Entries {
		ids = append(ids, strings.TrimPrefix(e.Key, "o/upload/"))
	}
	return ids
}

// messages returns what an upload's events say, oldest first.
func (n *node) messages(id string) []string {
	n.t.Helper()
	events, err := n.events.List(n.ctx, event.Object{Kind: "upload", ID: id}, "", -1)
	require.NoError(n.t, err)
	var messages []string
	for i := range events {
		messages = append(messages, events[len(events)-1-i].Message)
	}
	return messages
}

// disk returns a raw disk image of that many sectors.
func disk(sectors int) []byte {
	random := rand.NewChaCha8([32]byte{byte(sectors), 1})
	b := make([]byte, 512*sectors)
	_, _ = random.Read(b)
	copy(b[510:], "\x55\xaa")
	return b
}
