package cloudtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

// BenchmarkAPI measures requests over loopback on a cloud of 11,100 simulated instances and an embedded etcd that syncs its
// disk, each beside its floor: a bare server that writes the same bytes, bare commits of the same etcd, a bare bcrypt compare.
func BenchmarkAPI(b *testing.B) {
	state, err := etcdstore.Embedded(b.Context(), etcdstore.Options{Dir: filepath.Join(b.TempDir(), "etcd")})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, state.Close()) })
	p := newPlant(b, state)
	p.tenant(b, hundred, 100)
	p.tenant(b, thousand, 1000)
	p.tenant(b, tenThousand, 10_000)
	one := strings.Replace(api.PathInstance, "{ref}", p.first(b, hundred), 1)
	for _, m := range []struct{ what, as, path string }{
		{"root", hundred, api.PathRoot},
		{"instance", hundred, one},
		{"list of 100", hundred, api.PathInstances},
		{"list of 1000", thousand, api.PathInstances},
		{"list of 10000", tenThousand, api.PathInstances},
	} {
		c := p.callers(b, m.as, 1)[0]
		b.Run(m.what, repeat(c, get(m.path)))
		b.Run(m.what+", floor", func(b *testing.B) { bareServer(b, c, m.path) })
	}
	c := p.callers(b, hundred, 1)[0]
	b.Run("create and delete a network", repeat(c, createAndDeleteNetwork))
	b.Run("create and delete a network, floor", func(b *testing.B) { bareCommit(b, state) })
	b.Run("login", repeat(c, login(hundred, hundred)))
	b.Run("login, floor", bareCompare)
}

func repeat(c *caller, do operation) func(*testing.B) {
	return func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := do(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// bareServer answers with the bytes that the cloud did.
func bareServer(b *testing.B, c *caller, path string) {
	b.Helper()
	body, err := c.call(b.Context(), http.MethodGet, path, nil)
	require.NoError(b, err)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	}))
	defer bare.Close()
	repeat(newCaller(bare.URL), get(path))(b)
}

// bareCommit makes two commits of one key, as asking for a network and for its end makes two.
func bareCommit(b *testing.B, s store.Store) {
	b.Helper()
	value := []byte(strings.Repeat("x", 512))
	repeat(nil, func(ctx context.Context, _ *caller) error {
		for range 2 {
			if _, err := s.Commit(ctx, nil, []store.Op{store.Put("bench/network", value)}); err != nil {
				return err
			}
		}
		return nil
	})(b)
}

func bareCompare(b *testing.B) {
	hash, err := bcrypt.GenerateFromPassword([]byte(hundred), bcrypt.DefaultCost)
	require.NoError(b, err)
	repeat(nil, func(context.Context, *caller) error { return bcrypt.CompareHashAndPassword(hash, []byte(hundred)) })(b)
}
