//go:build prove

package cloudtest_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// TestProveFiguresOfTheAPI measures requests over loopback, with a client that lives in the same process and shares its
// processors, on a cloud of 11,100 simulated instances.
func TestProveFiguresOfTheAPI(t *testing.T) {
	t.Run("memstore", func(t *testing.T) { figuresOfTheAPI(t, "memstore", memstore.New()) })
	t.Run("etcd", func(t *testing.T) {
		state, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: filepath.Join(t.TempDir(), "etcd")})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, state.Close()) })
		figuresOfTheAPI(t, "embedded etcd with fsync", state)
	})
}

func figuresOfTheAPI(t *testing.T, kind string, state store.Store) {
	t.Helper()
	p := newPlant(t, state)
	p.tenant(t, hundred, 100)
	p.tenant(t, thousand, 1000)
	p.tenant(t, tenThousand, 10_000)
	one := strings.Replace(api.PathInstance, "{ref}", p.first(t, hundred), 1)
	for _, clients := range []int{1, 8} {
		for _, m := range []struct {
			what, as string
			while    time.Duration
			do       operation
		}{
			{"GET /", hundred, 2 * time.Second, get(api.PathRoot)},
			{"GET one instance (aim p99 2ms)", hundred, 3 * time.Second, get(one)},
			{"list of 100 instances (aim 3ms)", hundred, 3 * time.Second, get(api.PathInstances)},
			{"list of 1000 instances (aim 20ms)", thousand, 4 * time.Second, get(api.PathInstances)},
			{"list of 10000 instances (aim 200ms)", tenThousand, 8 * time.Second, get(api.PathInstances)},
			{"create and delete a network", hundred, 3 * time.Second, createAndDeleteNetwork},
		} {
			t.Logf("proof: %s, %d clients: %s: %s", kind, clients, m.what, measure(t, m.while, p.callers(t, m.as, clients), m.do))
		}
	}
	p.loginFigures(t, kind, one)
	p.listWhileCreating(t, kind)
}

// loginFigures measures logins, beside bare compares, and what they do to those who read.
func (p *plant) loginFigures(t *testing.T, kind, one string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.DefaultCost)
	require.NoError(t, err)
	bare := measure(t, 2*time.Second, make([]*caller, 1), func(context.Context, *caller) error {
		return bcrypt.CompareHashAndPassword(hash, []byte("secret"))
	})
	t.Logf("proof: bare bcrypt compare of cost %d: %s", bcrypt.DefaultCost, bare)
	const tenant = "keys"
	_, err = p.cloud.Namespaces.Create(t.Context(), tenant, "k", tenant)
	require.NoError(t, err)
	for _, keys := range []int{1, 100} {
		for n := range keys - 1 {
			require.NoError(t, p.cloud.Namespaces.SetKey(t.Context(), tenant, fmt.Sprint("k", n), fmt.Sprint("secret", n), false))
		}
		for _, clients := range []int{1, 8} {
			f := measure(t, 3*time.Second, p.callers(t, hundred, clients), login(tenant, tenant))
			t.Logf("proof: %s, %d clients: POST /auth with %d keys in the namespace: %s", kind, clients, keys, f)
			if clients == 1 {
				require.Less(t, f.p50, bare.p50*3/2, "more than one compare")
			}
		}
	}
	reader := p.callers(t, hundred, 1)
	alone := measure(t, 4*time.Second, reader, get(one))
	stop := background(t, p.callers(t, hundred, 8), login(tenant, tenant))
	beside := measure(t, 6*time.Second, reader, get(one))
	logins := stop()
	t.Logf("proof: %s: GET one instance: %s; while 8 clients log in all the time, %d times: %s; p99 %.1f times as long (aim 3, and under 10ms)",
		kind, alone, logins, beside, float64(beside.p99)/float64(alone.p99))
}

// listWhileCreating measures lists while eight clients create instances.
func (p *plant) listWhileCreating(t *testing.T, kind string) {
	t.Helper()
	_, err := p.cloud.Namespaces.Create(t.Context(), "busy", "k", "busy")
	require.NoError(t, err)
	stop := background(t, p.callers(t, "busy", 8), func(ctx context.Context, c *caller) error {
		size := 1
		_, err := c.call(ctx, http.MethodPost, api.PathInstances, api.CreateInstance{
			Name: "busy", CPUs: 1, Memory: 1, Disk: api.List[api.DiskSpec]{{Size: &size}},
		})
		return err
	})
	f := measure(t, 5*time.Second, p.callers(t, thousand, 1), get(api.PathInstances))
	made := stop()
	t.Logf("proof: %s: list of 1000 instances while 8 clients created %d others: %s", kind, made, f)
}
