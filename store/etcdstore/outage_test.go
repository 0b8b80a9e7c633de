package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

func TestDialSaysWhatItCouldNotReach(t *testing.T) {
	t.Parallel()
	where := "unix://" + filepath.Join(t.TempDir(), "nobody.sock")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := etcdstore.Dial(ctx, etcdstore.DialOptions{Endpoints: []string{where}})
	if !errors.Is(err, fault.Unavailable) || !strings.Contains(fault.Text(err), where) {
		t.Errorf("the error is %v", err)
	}
	if _, err := etcdstore.Dial(ctx, etcdstore.DialOptions{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("without endpoints: %v", err)
	}
	long := etcdstore.DialOptions{Endpoints: []string{where}, Prefix: strings.Repeat("p", 100)}
	if _, err := etcdstore.Dial(ctx, long); !errors.Is(err, fault.Invalid) {
		t.Errorf("with a long prefix: %v", err)
	}
}

// An etcd goes away and comes back. Requests meanwhile fail in time; a watch has no gap; a lease ends.
func TestAnOutageIsBoundedAndLeavesNoGap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := etcdstore.Options{Dir: dir, NoFsync: true}
	server, err := etcdstore.Embedded(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := dialed(t, etcdstore.DialOptions{Endpoints: []string{"unix://" + filepath.Join(dir, etcdstore.SocketName)}})
	l, err := s.Lease(t.Context(), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	start := put(t, s, "k/0", "")
	batches := make(chan store.Batch, 100)
	go func() {
		defer close(batches)
		for b, err := range s.Watch(t.Context(), "k/", start) {
			if err != nil {
				t.Errorf("the watch ended: %v", err)
				return
			}
			batches <- b
		}
	}()
	put(t, s, "k/1", "")
	closeStore(t, server)
	unavailable(t, s)
	select {
	case <-l.Done():
	case <-time.After(10 * time.Second):
		t.Error("a lease of 2 s still lives 10 s after its store went away")
	}
	server, err = etcdstore.Embedded(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, server)
	eventually(t, func() error {
		_, err := s.Commit(t.Context(), nil, []store.Op{store.Put("k/2", nil)})
		return err
	})
	put(t, s, "k/3", "")
	for n := 1; n <= 3; n++ {
		select {
		case b := <-batches:
			if want := fmt.Sprint("k/", n); len(b.Changes) != 1 || b.Changes[0].Key != want {
				t.Fatalf("the watch yields %+v, want %s", b, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("the watch did not yield k/%d", n)
		}
	}
}

// unavailable demands that every operation fails as it should, in the time it may take.
func unavailable(t *testing.T, s store.Store) {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Get(ctx, "k/0")
	if !errors.Is(err, fault.Unavailable) || time.Since(start) > 2*time.Second {
		t.Errorf("with 300 ms to spare a get gave %v after %v", err, time.Since(start))
	}
	calls := map[string]func() error{
		"get":    func() error { _, err := s.Get(t.Context(), "k/0"); return err },
		"list":   func() error { _, err := s.List(t.Context(), "", "", 0); return err },
		"commit": func() error { _, err := s.Commit(t.Context(), nil, []store.Op{store.Put("lost", nil)}); return err },
		"lease":  func() error { _, err := s.Lease(t.Context(), time.Minute); return err },
	}
	var wg sync.WaitGroup
	for name, call := range calls {
		wg.Go(func() {
			start := time.Now()
			if err := call(); !errors.Is(err, fault.Unavailable) || time.Since(start) > etcdstore.Timeout+2*time.Second {
				t.Errorf("without a server a %s gave %v after %v", name, err, time.Since(start))
			}
		})
	}
	wg.Wait()
}

// eventually tries until it succeeds, at most 30 seconds.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still after 30 s: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestKeysGoWhenTheirOwnerFallsSilent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := embedded(t, etcdstore.Options{Dir: dir, NoFsync: true, Prefix: "/shared"})
	owner, err := etcdstore.Dial(t.Context(), etcdstore.DialOptions{
		Endpoints: []string{"unix://" + filepath.Join(dir, etcdstore.SocketName)}, Prefix: "/shared/",
	})
	if err != nil {
		t.Fatal(err)
	}
	const ttl = 2 * time.Second
	l, err := owner.Lease(t.Context(), ttl)
	if err != nil {
		t.Fatal(err)
	}
	r, err := owner.Commit(t.Context(), nil, []store.Op{store.PutLeased("node/a", nil, l)})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	closeStore(t, owner) // without a release, as when its process is killed
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for b, err := range s.Watch(ctx, "node/", r) {
		if err != nil || !b.Changes[0].Deleted {
			t.Fatalf("the watch yields %+v, %v", b, err)
		}
		if took := time.Since(start); took > 2*ttl {
			t.Errorf("the key went after %v, twice the ttl is %v", took, 2*ttl)
		}
		return
	}
	t.Fatal("the key stays")
}

func TestAnEtcdWithPasswords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Whoever tries a wrong password is told of in the log, as it should be.
	embedded(t, etcdstore.Options{Dir: dir, NoFsync: true, Logger: slog.New(slog.DiscardHandler)})
	where := []string{"unix://" + filepath.Join(dir, etcdstore.SocketName)}
	admin, err := clientv3.New(clientv3.Config{Endpoints: where, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	ctx := t.Context()
	_, noRole := admin.RoleAdd(ctx, "cloud")
	_, noGrant := admin.RoleGrantPermission(ctx, "cloud", "/own/", clientv3.GetPrefixRangeEnd("/own/"), clientv3.PermissionType(clientv3.PermReadWrite))
	_, noRoot := admin.UserAdd(ctx, "root", "r")
	_, noUser := admin.UserAdd(ctx, "sf", "right")
	_, noRootRole := admin.UserGrantRole(ctx, "root", "root")
	_, noUserRole := admin.UserGrantRole(ctx, "sf", "cloud")
	_, noAuth := admin.AuthEnable(ctx)
	if err := errors.Join(noRole, noGrant, noRoot, noUser, noRootRole, noUserRole, noAuth); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]etcdstore.DialOptions{
		"no user":         {Endpoints: where, Prefix: "/own"},
		"wrong password":  {Endpoints: where, Prefix: "/own", Username: "sf", Password: "wrong"},
		"another's place": {Endpoints: where, Prefix: "/other", Username: "sf", Password: "right"},
	} {
		s, err := etcdstore.Dial(ctx, o)
		if err == nil {
			closeStore(t, s)
		}
		if !errors.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "right") {
			t.Errorf("with %s: %v; want unavailable, and no password", name, err)
		}
	}
	s, err := etcdstore.Dial(ctx, etcdstore.DialOptions{Endpoints: where, Prefix: "/own", Username: "sf", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	put(t, s, "k", "v")
	has(ctx, t, s, "k", "v")
}
