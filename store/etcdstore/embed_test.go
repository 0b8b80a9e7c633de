package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

func TestASecondDaemonIsToldAtOnceWhoHasTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
	start := time.Now()
	_, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: dir})
	if !errors.Is(err, fault.Conflict) || time.Since(start) > 2*time.Second {
		t.Fatalf("after %v: %v; want a conflict at once", time.Since(start), err)
	}
	for _, want := range []string{dir, fmt.Sprint("pid ", os.Getpid())} {
		if !strings.Contains(fault.Text(err), want) {
			t.Errorf("%q does not name %q", fault.Text(err), want)
		}
	}
}

func TestAToolThatUsesTheDataIsNoticed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: dir, NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	tool := flock.New(filepath.Join(dir, "etcd", "member", "snap", "db"), flock.SetFlag(os.O_RDWR))
	if ok, err := tool.TryLock(); !ok || err != nil {
		t.Fatalf("lock: %v, %v", ok, err)
	}
	if _, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: dir}); !errors.Is(err, fault.Conflict) {
		t.Fatalf("with its data in use the store gave %v", err)
	}
	if err := tool.Unlock(); err != nil {
		t.Fatal(err)
	}
	embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
}

func TestADirectoryThatCanNotBeUsedIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: filepath.Join(file, "dir")})
	if err == nil || !strings.Contains(fault.Text(err), file) {
		t.Errorf("the error is %v", err)
	}
	if _, err := etcdstore.Embedded(t.Context(), etcdstore.Options{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("without a directory: %v", err)
	}
}

// It counts the sockets of the process, so it runs while no other test does.
func TestEmbeddedListensOnNoNetworkPort(t *testing.T) {
	dir := t.TempDir()
	before := listening(t)
	embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
	if after := listening(t); len(after) != len(before) {
		t.Fatalf("listening sockets went from %q to %q", before, after)
	}
	info, err := os.Stat(filepath.Join(dir, etcdstore.SocketName))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Fatalf("the socket has mode %v, %v; want it closed to group and others", info.Mode(), err)
	}
}

// listening returns this process's listening TCP sockets.
func listening(t *testing.T) []string {
	t.Helper()
	own := make(map[string]bool)
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil {
			own[target] = true
		}
	}
	var all []string
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Skipf("this kernel does not tell its sockets: %v", err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			const state, inode, listen = 3, 9, "0A"
			if len(f) > inode && f[state] == listen && own["socket:["+f[inode]+"]"] {
				all = append(all, f[1])
			}
		}
	}
	return all
}

func TestADirectoryMayHaveALongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	s := embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
	put(t, s, "k", "v")
	short, err := os.MkdirTemp("", "sf") // t.TempDir may itself be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	if err := os.Symlink(dir, filepath.Join(short, "d")); err != nil {
		t.Fatal(err)
	}
	c, err := etcdstore.Dial(t.Context(), etcdstore.DialOptions{Endpoints: []string{"unix://" + short + "/d/" + etcdstore.SocketName}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, c)
	has(t.Context(), t, c, "k", "v")
}

func TestAStoreOutlivesItsProcessAndMayBeMoved(t *testing.T) {
	t.Parallel()
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	s, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: first, NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	r := put(t, s, "k", "v")
	l, err := s.Lease(t.Context(), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), nil, []store.Op{store.PutLeased("leased", nil, l)}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	closeStore(t, s)
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("a closed store gave %v", err)
	}
	<-l.Done()
	if err := os.Rename(first, second); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s = embedded(t, etcdstore.Options{Dir: second, NoFsync: true})
	t.Logf("started again in %v", time.Since(start))
	has(t.Context(), t, s, "k", "v")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for b, err := range s.Watch(ctx, "leased", r+1) { // nobody renews it: its owner closed the store
		if err != nil || !b.Changes[0].Deleted {
			t.Fatalf("the watch yields %+v, %v", b, err)
		}
		return
	}
	t.Fatal("a key outlived its lease")
}

// More than 5000 entries make etcd refuse its own first requests after a start until it has read them.
func TestAStartWithALongHistoryIsSilent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: dir, NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6000 {
		put(t, s, fmt.Sprint("k/", n%10), fmt.Sprint(n))
	}
	closeStore(t, s)
	s = embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
	has(t.Context(), t, s, "k/9", "5999")
}

func TestCloseEndsWatches(t *testing.T) {
	t.Parallel()
	s := embedded(t, etcdstore.Options{NoFsync: true})
	r, ended := put(t, s, "k", ""), make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		for _, err := range s.Watch(t.Context(), "", r-1) {
			if err != nil {
				ended <- err
				return
			}
			close(ready)
		}
		ended <- nil
	}()
	<-ready
	closeStore(t, s)
	if err := <-ended; !errors.Is(err, fault.Unavailable) {
		t.Fatalf("the watch ended with %v", err)
	}
}

func TestAFullStoreSaysSoAndRecovers(t *testing.T) {
	t.Parallel()
	dir, value := t.TempDir(), string(make([]byte, 512<<10))
	o := etcdstore.Options{Dir: dir, NoFsync: true, Quota: 8 << 20}
	s, err := etcdstore.Embedded(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { closeStore(t, s) }()
	for n := 0; err == nil; n++ {
		if _, err = s.Commit(t.Context(), nil, []store.Op{store.Put(fmt.Sprint("fill/", n), []byte(value))}); n > 100 {
			t.Fatal("50 MiB fit into a quota of 8")
		}
	}
	if !errors.Is(err, fault.Exhausted) || !strings.Contains(fault.Text(err), "quota") {
		t.Fatalf("a full store gave %v", err)
	}
	if _, err := s.Commit(t.Context(), nil, []store.Op{store.DeletePrefix("fill/")}); err != nil {
		t.Fatalf("a full store refuses a deletion: %v", err)
	}
	closeStore(t, s)
	if s, err = etcdstore.Embedded(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		put(t, s, fmt.Sprint("again/", n), value)
	}
}

func TestReclaimIsForEmbeddedStores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: dir, NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		put(t, s, fmt.Sprint("k/", n), string(make([]byte, 512<<10)))
	}
	last := put(t, s, "k/last", "")
	if _, err := s.Commit(t.Context(), nil, []store.Op{store.DeletePrefix("k/")}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s) // which writes to the file what was only in the log
	s = embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "etcd", "member", "snap", "db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	if err := s.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := size(); after > before/4 {
		t.Errorf("the data went from %d to %d bytes", before, after)
	}
	for _, err := range s.Watch(t.Context(), "", last-1) {
		if !errors.Is(err, store.ErrCompacted) {
			t.Errorf("the history is still there: %v", err)
		}
		break
	}
	c := dialed(t, etcdstore.DialOptions{Endpoints: []string{"unix://" + filepath.Join(dir, etcdstore.SocketName)}})
	if err := c.Reclaim(t.Context()); !errors.Is(err, fault.Invalid) {
		t.Errorf("reclaiming a cluster gave %v", err)
	}
}
