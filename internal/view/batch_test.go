package view_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// paint adds to a transaction that a thing of another color than red is red.
func (p *process) paint(tx *view.Txn, id string) error {
	row, ok := p.things.Get(id)
	if !ok || row.Value.Color == "red" {
		return nil
	}
	tx.Check(p.things.At(row, id))
	tx.Do(p.things.Put(id, thing{Color: "red"}))
	return nil
}

func TestABatchTakesFewCommits(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	p := newProcess(s).run(t)
	var ids []string
	for i := range 250 {
		id := fmt.Sprintf("%03d", i)
		ids = append(ids, id)
		if i%10 != 0 { // every tenth is not there
			p.put(t, id, "green")
		}
	}
	before := s.Stats().Commits
	require.NoError(t, p.Batch(t.Context(), "paint", ids, p.paint))
	require.Len(t, p.things.By("color", "red"), 225)
	require.LessOrEqual(t, s.Stats().Commits-before, uint64(3))
	before = s.Stats().Commits
	require.NoError(t, p.Batch(t.Context(), "paint", ids, p.paint))
	require.NoError(t, p.Batch(t.Context(), "paint", nil, p.paint))
	require.Equal(t, before, s.Stats().Commits, "what changes nothing is no commit")
}

func TestABatchOfLargeChangesIsSplitByBytes(t *testing.T) {
	t.Parallel()
	p := newProcess(memstore.New()).run(t)
	large := strings.Repeat("x", 300<<10)
	ids := []string{"a", "b", "c", "d", "e", "f", "g"}
	require.NoError(t, p.Batch(t.Context(), "fill", ids, func(tx *view.Txn, id string) error {
		tx.Do(p.things.Put(id, thing{Color: large}))
		return nil
	}))
	require.Equal(t, len(ids), p.things.Len())
}

func TestABatchIsPutTogetherAnewAfterAConflict(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	p, other := newProcess(s).run(t), newProcess(s).run(t)
	ids := []string{"a", "b", "c"}
	for _, id := range ids {
		p.put(t, id, "green")
	}
	require.NoError(t, other.Fresh(t.Context()))
	rounds := 0
	require.NoError(t, p.Batch(t.Context(), "paint", ids, func(tx *view.Txn, id string) error {
		if id == "c" {
			if rounds++; rounds == 1 {
				other.put(t, "b", "blue")
			}
		}
		return p.paint(tx, id)
	}))
	require.Equal(t, 2, rounds)
	require.Len(t, p.things.By("color", "red"), 3)
	refused := fault.New("test", fault.Forbidden, "", "no")
	require.ErrorIs(t, p.Batch(t.Context(), "paint", ids, func(*view.Txn, string) error { return refused }), refused)
}

// What takes several commits can end between two of them. The same batch again does the rest.
func TestABatchThatIsCutOffIsFinishedByTheSameAgain(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	p := newProcess(s).run(t)
	var ids []string
	for i := range 250 {
		ids = append(ids, fmt.Sprintf("%03d", i))
		p.put(t, ids[i], "green")
	}
	away := fault.New("test", fault.Unavailable, "", "the store is away")
	cut := func(tx *view.Txn, id string) error {
		if id == "150" { // of the second commit
			s.FailNext("Commit", away)
		}
		return p.paint(tx, id)
	}
	require.ErrorIs(t, p.Batch(t.Context(), "paint", ids, cut), fault.Unavailable)
	red := p.things.By("color", "red")
	require.NotEmpty(t, red)
	require.Less(t, len(red), 150)
	for i, row := range red {
		require.Equal(t, ids[i], row.ID, "those that come first")
	}
	require.NoError(t, p.Batch(t.Context(), "paint", ids, p.paint))
	require.Len(t, p.things.By("color", "red"), len(ids))
}
