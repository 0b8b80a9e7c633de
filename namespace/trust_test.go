package namespace

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func TestTrustIsGivenAndTaken(t *testing.T) {
	t.Parallel()
	m := one(t)
	create(t, m, "bob")
	for _, other := range []string{"zoe", "not-made-yet", "zoe", System} {
		n, err := m.Trust(t.Context(), "bob", other)
		require.NoError(t, err)
		require.Contains(t, n.Trusts, other)
	}
	n, err := m.Get(t.Context(), "bob")
	require.NoError(t, err)
	require.Equal(t, []string{"not-made-yet", System, "zoe"}, n.Trusts)
	require.True(t, m.Trusts("bob", "zoe"))
	require.False(t, m.Trusts("zoe", "bob"), "trust goes one way")
	for _, other := range []string{"zoe", "zoe", "never", System, "a/b", ""} {
		n, err = m.Distrust(t.Context(), "bob", other)
		require.NoError(t, err)
	}
	require.Equal(t, []string{"not-made-yet", System}, n.Trusts)
	require.False(t, m.Trusts("bob", "zoe"))
	require.Equal(t, []string{"stopped trusting namespace", "trusted namespace", "trusted namespace", "created namespace"}, events(t, m, "bob"),
		"what changes nothing is no event")
	list, err := m.events.List(t.Context(), about("bob"), event.Audit, 1)
	require.NoError(t, err)
	require.Equal(t, "zoe", list[0].Extra["namespace"])
}

func TestTrustIsRefused(t *testing.T) {
	t.Parallel()
	m := one(t)
	create(t, m, "bob")
	for _, bad := range []string{"", "a/b", "a b", strings.Repeat("x", 64)} {
		_, err := m.Trust(t.Context(), "bob", bad)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), "external_namespace: ")
	}
	_, err := m.Trust(t.Context(), "nobody", "bob")
	require.ErrorIs(t, err, fault.NotFound)
	_, err = m.Distrust(t.Context(), "nobody", "bob")
	require.ErrorIs(t, err, fault.NotFound)
	for i := range maxTrusted {
		_, err := m.Trust(t.Context(), "bob", fmt.Sprint("n", i))
		require.NoError(t, err)
	}
	_, err = m.Trust(t.Context(), "bob", "one-more")
	require.ErrorIs(t, err, fault.Invalid)
	require.Contains(t, fault.Text(err), "256 namespaces are trusted already")
	_, err = m.Trust(t.Context(), "bob", "n7")
	require.NoError(t, err, "who is trusted already takes no room")
}

func TestConcurrentTrustsLoseNothing(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	managers := []*Manager{open(t, s, nil, cheap), open(t, s, nil, cheap)}
	create(t, managers[0], "bob")
	fresh(t, managers[1])
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if _, err := managers[i%2].Trust(t.Context(), "bob", fmt.Sprint("n", i)); err != nil {
				t.Error(err)
			}
			if err := managers[i%2].SetKey(t.Context(), "bob", fmt.Sprint("k", i), "s", false); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n, err := fresh(t, managers[0]).Get(t.Context(), "bob")
	require.NoError(t, err)
	require.Len(t, n.Trusts, 11)
	require.Len(t, n.Keys, 10)
}

func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	m := one(t)
	create(t, m, "bob")
	require.NoError(t, m.amend(t.Context(), "fill", "bob", "filled", nil, func(r *record) (bool, error) {
		for i := range maxKeys {
			r.Keys[fmt.Sprint("k", i)] = key{Nonce: "n", Hash: make([]byte, 60), Tag: strings.Repeat("t", 64), Seal: "12345678"}
		}
		return true, nil
	}))
	err := m.SetKey(t.Context(), "bob", "one-more", "s", false)
	require.ErrorIs(t, err, fault.Invalid)
	require.Contains(t, fault.Text(err), "key_name: the namespace has 1000 keys already")
	require.NoError(t, m.SetKey(t.Context(), "bob", "k7", "s", false), "a key that is there takes no more room")
}
