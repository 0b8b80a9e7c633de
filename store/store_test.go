package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

func TestValidateSaysWhatIsWrong(t *testing.T) {
	put := []store.Op{store.Put("k", nil)}
	many := func(n int) (checks []store.Check, ops []store.Op) {
		for i := range n {
			checks = append(checks, store.Absent(fmt.Sprint("c", i)))
			ops = append(ops, store.Put(fmt.Sprint("o", i), nil))
		}
		return checks, ops
	}
	fullChecks, fullOps := many(100)
	moreChecks, moreOps := many(101)
	cases := map[string]struct {
		checks []store.Check
		ops    []store.Op
		want   string // part of the text; "" if it is valid
	}{
		"one put":                     {nil, put, ""},
		"as much as may be":           {fullChecks, fullOps, ""},
		"a key of the greatest size":  {nil, []store.Op{store.Put(strings.Repeat("k", store.MaxKey), nil)}, ""},
		"a value of the greatest":     {nil, []store.Op{store.Put("k", make([]byte, store.MaxBytes-1))}, ""},
		"a prefix beside its sibling": {nil, []store.Op{store.DeletePrefix("a/"), store.Put("a", nil), store.Put("ab", nil)}, ""},
		"no ops":                      {fullChecks, nil, "at least one op"},
		"an op too many":              {nil, moreOps, "101 ops"},
		"a check too many":            {moreChecks, put, "101 checks"},
		"a byte too many":             {nil, []store.Op{store.Put("k", make([]byte, store.MaxBytes))}, "1048577 bytes"},
		"a key too long":              {nil, []store.Op{store.Delete(strings.Repeat("k", store.MaxKey+1))}, "513 bytes"},
		"a checked key too long":      {[]store.Check{store.Empty(strings.Repeat("k", store.MaxKey+1))}, put, "513 bytes"},
		"an op without a key":         {nil, []store.Op{store.DeletePrefix("")}, "needs a key"},
		"a check without a key":       {[]store.Check{store.Absent("")}, put, "needs a key"},
		"an At without a revision":    {[]store.Check{store.At("k", 0)}, put, "Absent"},
		"an op of no kind":            {nil, []store.Op{{Key: "k"}}, "unknown kind"},
		"a check of no kind":          {[]store.Check{{Key: "k"}}, put, "unknown kind"},
		"the same key twice":          {nil, []store.Op{store.Put("k", nil), store.Delete("k")}, `"k" is written twice`},
		"a key under a prefix":        {nil, []store.Op{store.Put("d/k", nil), store.DeletePrefix("d/")}, `"d/k" is written twice`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := store.Validate(c.checks, c.ops)
			if c.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Text(err), c.want) {
				t.Fatalf("the error is %v, want one that says %q", err, c.want)
			}
		})
	}
}

func TestFailedChecksComeOutOfAConflict(t *testing.T) {
	failed := []store.Check{store.Absent("a"), store.Empty("b/")}
	err := fault.Wrap("instance.Create", "x", store.Conflict(failed))
	if got := store.FailedChecks(err); !slices.Equal(got, failed) {
		t.Errorf("failed checks are %v, want %v", got, failed)
	}
	if !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Text(err), "a, b/") {
		t.Errorf("the error is %v", err)
	}
	if got := store.FailedChecks(fault.New("x", fault.Conflict, "", "another conflict")); got != nil {
		t.Errorf("another conflict has failed checks %v", got)
	}
}
