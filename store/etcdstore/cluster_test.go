package etcdstore_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

// cluster is an etcd of three members in this process, on loopback.
type cluster struct {
	members   []*embed.Etcd
	stops     []func() // ends a member, any number of times
	endpoints []string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	const size = 3
	var initial []string
	peers, clients := loopback(t, size), loopback(t, size)
	for i, u := range peers {
		initial = append(initial, fmt.Sprintf("m%d=%s", i, u.String()))
	}
	c := &cluster{}
	for i := range size {
		o := embed.NewConfig()
		o.Name, o.Dir, o.InitialCluster = fmt.Sprint("m", i), t.TempDir(), strings.Join(initial, ",")
		o.ListenPeerUrls, o.AdvertisePeerUrls = peers[i:i+1], peers[i:i+1]
		o.ListenClientUrls, o.AdvertiseClientUrls = clients[i:i+1], clients[i:i+1]
		o.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		o.UnsafeNoFsync, o.TickMs, o.ElectionMs = true, 50, 500
		e, err := embed.StartEtcd(o)
		if err != nil {
			t.Fatal(err)
		}
		stop := sync.OnceFunc(func() {
			e.Server.HardStop() // without handing leadership over first
			e.Close()
		})
		t.Cleanup(stop)
		c.members, c.stops, c.endpoints = append(c.members, e), append(c.stops, stop), append(c.endpoints, clients[i].Host)
	}
	for _, e := range c.members {
		select {
		case <-e.Server.ReadyNotify():
		case <-time.After(30 * time.Second):
			t.Fatal("the cluster did not get ready")
		}
	}
	return c
}

// loopback returns addresses that were free a moment ago.
func loopback(t *testing.T, n int) []url.URL {
	t.Helper()
	urls := make([]url.URL, n)
	for i := range urls {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // only when all are chosen, so that they differ
		urls[i] = url.URL{Scheme: "http", Host: l.Addr().String()}
	}
	return urls
}

// leader returns the number of the member that leads.
func (c *cluster) leader(t *testing.T) int {
	t.Helper()
	for i, e := range c.members {
		if e.Server.Leader() == e.Server.MemberID() {
			return i
		}
	}
	t.Fatal("the cluster has no leader")
	return 0
}

// When the leader of a cluster goes, commits go on, a watch has no gap and a lease lives.
func TestACloudSurvivesTheLossOfTheLeader(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := dialed(t, etcdstore.DialOptions{Endpoints: c.endpoints})
	const ttl = 15 * time.Second
	l, err := s.Lease(t.Context(), ttl)
	if err != nil {
		t.Fatal(err)
	}
	start := put(t, s, "k/0", "")
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	began, stopped, stop := time.Now(), make(chan struct{}), c.stops[c.leader(t)]
	go func() {
		defer close(stopped)
		stop()
	}()
	var acknowledged []store.Revision
	for n, enough := 1, 0; enough < 50; n++ {
		// A commit of unknown outcome may have happened, so its key is not used again.
		r, err := s.Commit(ctx, nil, []store.Op{store.Put(fmt.Sprint("k/", n), nil)})
		if err == nil {
			acknowledged = append(acknowledged, r)
			select {
			case <-stopped:
				enough++
			default:
			}
		} else if ctx.Err() != nil {
			t.Fatalf("the cloud did not get going again: %v", err)
		}
	}
	t.Logf("%d commits around the loss of the leader, 50 after it, in %v", len(acknowledged), time.Since(began))
	at, n := start, 0
	for b, err := range s.Watch(ctx, "k/", start) {
		if err != nil || b.Revision <= at {
			t.Fatalf("after revision %d came %d, %v", at, b.Revision, err)
		}
		if at = b.Revision; at > acknowledged[n] {
			t.Fatalf("the commit of revision %d was acknowledged and is missing", acknowledged[n])
		}
		if at == acknowledged[n] {
			if n++; n == len(acknowledged) {
				break
			}
		}
	}
	if n != len(acknowledged) {
		t.Fatalf("the watch ended after %d of %d commits", n, len(acknowledged))
	}
	select {
	case <-l.Done():
		t.Fatal("the lease was lost although most of the cluster lives")
	default:
	}
}
