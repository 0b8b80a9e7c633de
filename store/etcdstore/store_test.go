package etcdstore_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"

	"github.com/shakenfist/shakenfist/internal/logbuf"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
	"github.com/shakenfist/shakenfist/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	wal.SegmentSizeBytes = 1 << 20 // many stores on a small disk
	os.Exit(m.Run())
}

// embedded starts a store that is closed with the test, and that must log nothing unless it is given a logger.
func embedded(t *testing.T, o etcdstore.Options) *etcdstore.Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	var said logbuf.Buffer
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(&said, nil))
	}
	s, err := etcdstore.Embedded(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeStore(t, s)
		for line := range strings.Lines(said.String()) {
			if !busyMachine(line) {
				t.Errorf("the store logged: %s", line)
			}
		}
	})
	return s
}

// busyMachine reports whether a line only says that something was slow.
func busyMachine(line string) bool {
	return strings.Contains(line, "took too long") || strings.Contains(line, "slow fdatasync") ||
		strings.Contains(line, `msg="request stats"`)
}

func closeStore(t *testing.T, s *etcdstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// dialed connects to an etcd, under a prefix that no other store in this process has.
func dialed(t *testing.T, o etcdstore.DialOptions) *etcdstore.Store {
	t.Helper()
	o.Prefix = "/test/" + rand.Text()
	s, err := etcdstore.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

// The suite, on each way to have an etcd.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.TestStore(t, open)
		})
	}
}

func TestRandomOps(t *testing.T) {
	t.Parallel()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RandomOps(t, open)
		})
	}
}

// stores returns the ways to open a store: embedded, an etcd behind a socket, and a cluster: the one that SF_ETCD
// names, such as 127.0.0.1:2379, or else three members in this process.
func stores(t *testing.T) map[string]func(t *testing.T) store.Store {
	t.Helper()
	dir := t.TempDir()
	embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
	socket := []string{"unix://" + filepath.Join(dir, etcdstore.SocketName)}
	cluster := strings.Split(os.Getenv("SF_ETCD"), ",")
	if cluster[0] == "" {
		cluster = startCluster(t).endpoints
	}
	return map[string]func(t *testing.T) store.Store{
		"embedded": func(t *testing.T) store.Store {
			t.Helper()
			return embedded(t, etcdstore.Options{NoFsync: true})
		},
		"over a socket": func(t *testing.T) store.Store {
			t.Helper()
			return dialed(t, etcdstore.DialOptions{Endpoints: socket})
		},
		"cluster": func(t *testing.T) store.Store {
			t.Helper()
			return dialed(t, etcdstore.DialOptions{Endpoints: cluster})
		},
	}
}

func put(t *testing.T, s store.Store, key, value string) store.Revision {
	t.Helper()
	r, err := s.Commit(t.Context(), nil, []store.Op{store.Put(key, []byte(value))})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return r
}

func has(ctx context.Context, t *testing.T, s store.Store, key, want string) {
	t.Helper()
	e, err := s.Get(ctx, key)
	if err != nil || string(e.Value) != want {
		t.Fatalf("get %s gave %q, %v; want %q", key, e.Value, err, want)
	}
}
