package namespace

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/stepped"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func login(t *testing.T, m *Manager, name, secret string) Login {
	t.Helper()
	l, err := m.Login(t.Context(), name, secret)
	require.NoError(t, err)
	require.NoError(t, m.Check(l))
	return l
}

func refused(t *testing.T, m *Manager, name, secret string) {
	t.Helper()
	_, err := m.Login(t.Context(), name, secret)
	require.ErrorIs(t, err, fault.Unauthorized)
	require.Equal(t, "unauthorized", fault.Text(err))
}

func TestALoginFindsItsKey(t *testing.T) {
	t.Parallel()
	m := one(t)
	_, err := m.Create(t.Context(), "team", "first", "swordfish")
	require.NoError(t, err)
	create(t, m, "other")
	require.NoError(t, m.SetKey(t.Context(), "team", "second", "marlin", false))
	require.NoError(t, m.SetKey(t.Context(), "other", "first", "swordfish", false))

	require.Equal(t, "first", login(t, m, "team", "swordfish").Key)
	require.Equal(t, "second", login(t, m, "team", "marlin").Key)
	require.NotEqual(t, login(t, m, "team", "swordfish"), login(t, m, "other", "swordfish"))
	for _, wrong := range []string{"", "sword", "swordfish ", "Swordfish", "swordfish\x00swordfish", strings.Repeat("x", 1<<16)} {
		refused(t, m, "team", wrong)
	}
	refused(t, m, "other", "marlin")
	_, err = m.Login(t.Context(), "nobody", "swordfish")
	require.ErrorIs(t, err, fault.NotFound)
	require.Equal(t, []string{"set key", "created namespace"}, events(t, m, "team"))
}

func TestAllOfALongSecretCounts(t *testing.T) {
	t.Parallel()
	m := one(t)
	create(t, m, "team")
	for i, n := range []int{71, 72, 73, 100, 4096} {
		secret := strings.Repeat("s", n)
		name := fmt.Sprint("key", i)
		require.NoError(t, m.SetKey(t.Context(), "team", name, secret, false))
		require.Equal(t, name, login(t, m, "team", secret).Key)
		refused(t, m, "team", secret[:n-1]+"t")
		refused(t, m, "team", secret+"s")
	}
}

func TestKeysAreRefusedByName(t *testing.T) {
	t.Parallel()
	m := one(t)
	create(t, m, "team")
	for _, c := range []struct {
		name, secret string
		kind         fault.Kind
		text         string
	}{
		{"", "s", fault.Invalid, "no key name specified"},
		{"k", "", fault.Invalid, "no key specified"},
		{"_service_key", "s", fault.Forbidden, "illegal key name"},
		{"_service_key1", "s", fault.Forbidden, "illegal key name"},
		{"a/b", "s", fault.Invalid, "key_name"},
		{"a\nb", "s", fault.Invalid, "key_name"},
		{"a\x1bb", "s", fault.Invalid, "key_name"},
		{"a\xff", "s", fault.Invalid, "key_name"},
		{strings.Repeat("k", 129), "s", fault.Invalid, "key_name must be UTF-8 of at most 128 bytes"},
	} {
		err := m.SetKey(t.Context(), "team", c.name, c.secret, false)
		require.Equal(t, c.kind, fault.KindOf(err), c.name)
		require.Contains(t, fault.Text(err), c.text)
		if c.name != "" {
			_, err = m.Create(t.Context(), "new", c.name, c.secret)
			require.Equal(t, c.kind, fault.KindOf(err), c.name)
		}
	}
	require.NoError(t, m.SetKey(t.Context(), "team", strings.Repeat("k", 128), "s", false))
	require.NoError(t, m.SetKey(t.Context(), "team", "service_key", "s", false))
	_, err := m.Create(t.Context(), "new", "service_key", "s") // only here that was never a name
	require.Equal(t, fault.Forbidden, fault.KindOf(err))
	require.ErrorIs(t, m.SetKey(t.Context(), "nobody", "k", "s", false), fault.NotFound)
	_, err = m.Get(t.Context(), "new")
	require.ErrorIs(t, err, fault.NotFound)
}

func TestANewSecretEndsTheOldOnesLogins(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	m, elsewhere := open(t, s, nil, cheap), open(t, s, nil, cheap)
	_, err := m.Create(t.Context(), "team", "k", "old")
	require.NoError(t, err)
	require.NoError(t, m.SetKey(t.Context(), "team", "other", "another", false))
	old, other := login(t, fresh(t, elsewhere), "team", "old"), login(t, elsewhere, "team", "another")

	require.ErrorIs(t, m.SetKey(t.Context(), "team", "absent", "x", true), fault.NotFound)
	require.NoError(t, m.SetKey(t.Context(), "team", "k", "old", true)) // the same secret will do
	fresh(t, elsewhere)
	require.ErrorIs(t, elsewhere.Check(old), fault.Unauthorized)
	require.NoError(t, elsewhere.Check(other))
	require.NoError(t, m.SetKey(t.Context(), "team", "k", "new", true))
	fresh(t, elsewhere)
	refused(t, elsewhere, "team", "old")
	renewed := login(t, elsewhere, "team", "new")

	require.NoError(t, m.DeleteKey(t.Context(), "team", "k"))
	require.ErrorIs(t, m.DeleteKey(t.Context(), "team", "k"), fault.NotFound)
	fresh(t, elsewhere)
	require.ErrorIs(t, elsewhere.Check(renewed), fault.Unauthorized)
	refused(t, elsewhere, "team", "new")

	require.NoError(t, m.Delete(t.Context(), "team"))
	require.ErrorIs(t, fresh(t, elsewhere).Check(other), fault.Unauthorized)
	create(t, m, "team")
	require.ErrorIs(t, fresh(t, elsewhere).Check(other), fault.Unauthorized, "a login outlived its namespace")
}

func TestAKeyExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := one(t)
		_, err := m.Create(t.Context(), "team", "k", "secret")
		require.NoError(t, err)
		row, _ := m.rows.Get("team")
		k := row.Value.Keys["k"]
		k.Expiry = time.Now().Add(time.Hour)
		row.Value.Keys = map[string]key{"k": k}
		tx := view.Txn{Name: "expire"}
		tx.Do(m.rows.Put("team", row.Value))
		_, err = m.view.Commit(t.Context(), tx)
		require.NoError(t, err)
		l := login(t, m, "team", "secret")
		time.Sleep(time.Hour)
		require.NoError(t, m.Check(l))
		time.Sleep(time.Nanosecond)
		require.ErrorIs(t, m.Check(l), fault.Unauthorized)
		refused(t, m, "team", "secret")
		n, err := m.Get(t.Context(), "team")
		require.NoError(t, err)
		require.Empty(t, n.Keys)
	})
}

func TestALoginCostsOneCompareHoweverManyKeysThereAre(t *testing.T) {
	m := open(t, memstore.New(), nil, 6) // so that hashing outweighs all else
	compares := func(f func()) uint64 {
		before := m.Compares()
		f()
		return m.Compares() - before
	}
	_, err := m.Create(t.Context(), "team", "k", "secret")
	require.NoError(t, err)
	one := took(func() { login(t, m, "team", "secret") })
	const keys = 16
	for i := range keys {
		require.NoError(t, m.SetKey(t.Context(), "team", fmt.Sprint("k", i), fmt.Sprint("secret", i), false))
	}
	_ = m.dummy()
	require.Less(t, took(func() { login(t, m, "team", fmt.Sprint("secret", keys-1)) }), keys/3*one)
	wrong := took(func() { refused(t, m, "team", "wrong") })
	require.Less(t, wrong, keys/3*one)
	require.Greater(t, wrong, one/5, "a wrong guess is told by its speed")
	for name, f := range map[string]func(){
		"a right key":          func() { login(t, m, "team", "secret7") },
		"a wrong key":          func() { refused(t, m, "team", "wrong") },
		"an unknown namespace": func() { _, _ = m.Login(t.Context(), "nobody", "wrong") },
	} {
		require.Equal(t, uint64(1), compares(f), name)
	}
	require.Zero(t, compares(func() {
		known, err := m.Knows(t.Context(), "team", "secret7")
		require.NoError(t, err)
		require.True(t, known)
		for _, c := range [][2]string{{"team", "wrong"}, {"nobody", "secret7"}} {
			known, err = m.Knows(t.Context(), c[0], c[1])
			require.NoError(t, err)
			require.False(t, known)
		}
	}))
	unknown := took(func() { _, _ = m.Login(t.Context(), "nobody", "wrong") })
	require.Greater(t, unknown, one/5, "a namespace that is not there is told by its speed")
}

// took returns the shortest of three times that f takes: the machine has other things to do.
func took(f func()) time.Duration {
	shortest := time.Hour
	for range 3 {
		start := time.Now()
		f()
		shortest = min(shortest, time.Since(start))
	}
	return shortest
}

func TestKeysOutliveAChangeOfTheClustersSecret(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	m := open(t, s, []byte("the first secret of the cluster"), cheap)
	create(t, m, "team")
	for i := range 3 {
		require.NoError(t, m.SetKey(t.Context(), "team", fmt.Sprint("k", i), fmt.Sprint("secret", i), false))
	}
	changed := open(t, s, []byte("the second secret of the cluster"), cheap)
	require.NoError(t, changed.SetKey(t.Context(), "team", "k9", "secret9", false))
	for _, i := range []int{0, 1, 2, 9} {
		require.Equal(t, fmt.Sprint("k", i), login(t, changed, "team", fmt.Sprint("secret", i)).Key)
	}
	refused(t, changed, "team", "secret3")
	for _, i := range []int{0, 1, 2, 9} { // from the second time on, each is found by its tag
		before := changed.Compares()
		login(t, changed, "team", fmt.Sprint("secret", i))
		require.Equal(t, uint64(1), changed.Compares()-before)
	}
}

func TestMakingTheClustersSecretIsAStep(t *testing.T) {
	t.Parallel()
	var steps []string
	m := open(t, stepped.Store(memstore.New(), func(_ context.Context, s step.Step) error {
		steps = append(steps, s.Name)
		return nil
	}), nil, cheap)
	_, err := m.Secret(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"commit make secret", "commit make secret"}, steps, "before and after")
}

func TestTheClustersSecretIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	a, b := open(t, s, nil, cheap), open(t, s, nil, cheap)
	secrets := make(chan string, 20)
	for i := range 20 {
		go func() {
			v, err := []*Manager{a, b}[i%2].Secret(t.Context())
			if err != nil {
				t.Error(err)
			}
			secrets <- string(v)
		}()
	}
	first := <-secrets
	require.GreaterOrEqual(t, len(first), 32)
	for range 19 {
		require.Equal(t, first, <-secrets)
	}
	given, err := open(t, s, []byte("given"), cheap).Secret(t.Context())
	require.NoError(t, err)
	require.Equal(t, "given", string(given))

	away := fault.New("test", fault.Unavailable, "", "away")
	s.FailNext("Commit", away)
	c := open(t, s, nil, cheap)
	_, err = c.Secret(t.Context())
	require.ErrorIs(t, err, away)
	again, err := c.Secret(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, string(again))
}

func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	m := open(t, s, nil, cheap)
	_, err := m.Create(t.Context(), "team", "k", "hunter2-is-my-secret")
	require.NoError(t, err)
	require.NoError(t, m.SetKey(t.Context(), "team", "k", "hunter3-is-my-secret", false))
	page, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	require.NotEmpty(t, page.Entries)
	for _, e := range page.Entries {
		require.NotContains(t, e.Key+string(e.Value), "-is-my-secret")
	}
}
