package namespace

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "A1", "my-team", "my_team", "0", strings.Repeat("x", 63)} {
		require.NoError(t, ValidateName(good), good)
	}
	m := one(t)
	for _, bad := range []string{
		"", "-a", "a-", "_a", "a_", "a b", "a.b", "a/b", "a\n", "ä", "a\x00", "..", strings.Repeat("x", 64), strings.Repeat("x", 1<<20),
	} {
		_, err := m.Create(t.Context(), bad, "k", "s")
		require.ErrorIs(t, err, fault.Invalid, "%.80q", bad)
		require.Contains(t, fault.Text(err), "namespace ")
		require.Less(t, len(err.Error()), 500)
	}
	require.Empty(t, m.List(t.Context(), System))
}

func TestANamespaceIsCreatedOnce(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	managers := []*Manager{open(t, s, nil, cheap), open(t, s, nil, cheap)}
	var racers sync.WaitGroup
	results := make([]error, 10)
	for i := range results {
		racers.Go(func() { _, results[i] = managers[i%2].Create(t.Context(), "team", "key", "secret") })
	}
	racers.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		require.Equal(t, fault.Forbidden, fault.KindOf(err))
		require.Equal(t, "namespace exists", fault.Text(err))
	}
	require.Equal(t, 1, won)
	require.Equal(t, []string{"created namespace"}, events(t, managers[0], "team"))
	for _, m := range managers {
		n, err := fresh(t, m).Get(t.Context(), "team")
		require.NoError(t, err)
		require.Equal(t, []string{"key"}, n.Keys)
		require.Equal(t, []string{System}, n.Trusts)
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	m := one(t)
	for _, name := range []string{System, "bob", "alice"} {
		create(t, m, name)
	}
	tx := view.Txn{Name: "trust"}
	row, _ := m.rows.Get("bob")
	row.Value.Trusts = []string{"alice", System, "alice"}
	tx.Do(m.rows.Put("bob", row.Value))
	_, err := m.view.Commit(t.Context(), tx)
	require.NoError(t, err)

	names := func(caller string) string {
		var all []string
		for _, n := range m.List(t.Context(), caller) {
			all = append(all, n.Name)
		}
		return strings.Join(all, " ")
	}
	require.Equal(t, "alice bob system", names(System))
	require.Equal(t, "alice bob", names("alice"))
	require.Equal(t, "bob", names("bob"))
	require.Empty(t, names("nobody"))
	require.True(t, m.Trusts("gone", "gone"))
	require.True(t, m.Trusts("gone", System))
	require.False(t, m.Trusts("gone", "alice"))
	bob, err := m.Get(t.Context(), "bob")
	require.NoError(t, err)
	require.Equal(t, []string{"alice", System}, bob.Trusts)
}

func own(t *testing.T, m *Manager, name, kind, id string) error {
	t.Helper()
	tx := view.Txn{Name: "create " + kind, Ref: id}
	if err := m.Own(&tx, name, kind, id); err != nil {
		return err
	}
	_, err := m.view.Commit(t.Context(), tx)
	return err
}

func TestWhatANamespaceOwnsKeepsIt(t *testing.T) {
	t.Parallel()
	m := one(t)
	require.ErrorIs(t, own(t, m, "team", "network", "n1"), fault.NotFound)
	create(t, m, "team")
	create(t, m, "team2") // "team" begins its name
	require.NoError(t, own(t, m, "team2", "network", "n9"))
	for _, kind := range []string{"upload", "artifact", "network", "instance"} {
		require.NoError(t, own(t, m, "team", kind, "1"))
		require.NoError(t, own(t, m, "team", kind, "2"))
		err := m.Delete(t.Context(), "team")
		require.ErrorIs(t, err, fault.Invalid)
		require.Equal(t, "you cannot delete a namespace with "+kind+"s", fault.Text(err))
	}
	kinds, err := m.Owned(t.Context(), "team")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"upload": 2, "artifact": 2, "network": 2, "instance": 2}, kinds)
	for kind := range kinds {
		tx := view.Txn{Name: "end"}
		m.Disown(&tx, "team", kind, "1")
		m.Disown(&tx, "team", kind, "2")
		_, err := m.view.Commit(t.Context(), tx)
		require.NoError(t, err)
	}
	require.NoError(t, m.Delete(t.Context(), "team"))
	require.ErrorIs(t, m.Delete(t.Context(), "team"), fault.NotFound)
	require.Empty(t, events(t, m, "team"))
	_, err = m.Get(t.Context(), "team2")
	require.NoError(t, err)
}

func TestTheSystemNamespaceStays(t *testing.T) {
	t.Parallel()
	m := one(t)
	create(t, m, System)
	require.ErrorIs(t, m.Delete(t.Context(), System), fault.Forbidden)
}

func TestCreatingInANamespaceThatIsBeingDeletedHasOneWinner(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	a, b := open(t, s, nil, cheap), open(t, s, nil, cheap)
	outcomes := map[string]int{}
	for range 200 {
		create(t, a, "team")
		fresh(t, b)
		var creating, deleting error
		var racers sync.WaitGroup
		racers.Go(func() {
			creating = b.view.Retry(t.Context(), func() error { return own(t, b, "team", "network", "n1") })
		})
		racers.Go(func() { deleting = a.Delete(t.Context(), "team") })
		racers.Wait()
		owned, err := a.Owned(t.Context(), "team")
		require.NoError(t, err)
		_, err = fresh(t, a).Get(t.Context(), "team")
		if creating == nil {
			outcomes["created"]++
			require.ErrorIs(t, deleting, fault.Invalid)
			require.NoError(t, err, "an object is left without its namespace")
			require.Equal(t, map[string]int{"network": 1}, owned)
			tx := view.Txn{Name: "end"}
			a.Disown(&tx, "team", "network", "n1")
			_, err := a.view.Commit(t.Context(), tx)
			require.NoError(t, err)
			require.NoError(t, a.Delete(t.Context(), "team"))
		} else {
			outcomes["deleted"]++
			require.NoError(t, deleting)
			require.ErrorIs(t, creating, fault.NotFound)
			require.ErrorIs(t, err, fault.NotFound)
			require.Empty(t, owned)
		}
	}
	t.Log(outcomes)
}
