package lookup_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/lookup"
)

type object struct{ id, name, owner string }

const (
	u1 = "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01"
	u2 = "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e02"
	u3 = "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e03"
	u4 = "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e04"
	u5 = "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e05"
	// dashless is a name that could be a UUID, but is the ID of nothing.
	dashless = "0b4c7e525d3e4a8f9a060d8c1b6f1eff"
)

func objects() []object {
	return []object{
		{u1, "web", "alice"}, {u2, "web", "bob"}, {u3, "db", "alice"}, {u4, "db", "alice"}, {u5, dashless, "alice"},
	}
}

// finder looks among objects for a caller who sees their own first, and, if trusted, everybody's.
func finder(caller string, trusted bool) lookup.Finder[object] {
	return lookup.Finder[object]{
		Kind: "thing",
		ByID: func(id string) (object, bool) {
			for _, o := range objects() {
				if o.id == id {
					return o, true
				}
			}
			return object{}, false
		},
		ByName: func(name string) (all []object) {
			for _, o := range objects() {
				if o.name == name {
					all = append(all, o)
				}
			}
			return all
		},
		Namespace: func(o object) string { return o.owner },
		Tiers: []func(string, object) bool{
			func(owner string, _ object) bool { return owner == caller },
			func(owner string, _ object) bool { return trusted || owner == caller },
		},
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caller  string
		trusted bool
		ref     string
		want    string
		kind    fault.Kind
		text    string
	}{
		"one's own by UUID":                       {"alice", false, u1, u1, "", ""},
		"a UUID in capitals":                      {"alice", false, "0B4C7E52-5D3E-4A8F-9A06-0D8C1B6F1E01", u1, "", ""},
		"a UUID without dashes":                   {"alice", false, "0b4c7e525d3e4a8f9a060d8c1b6f1e01", u1, "", ""},
		"a name that could be a UUID":             {"alice", false, dashless, u5, "", ""},
		"one's own by name before others'":        {"alice", true, "web", u1, "", ""},
		"another's by name":                       {"carol", true, "web", "", fault.Invalid, `multiple things have the name "web" in namespace "carol"`},
		"a name that is twice there":              {"alice", false, "db", "", fault.Invalid, `multiple things have the name "db" in namespace "alice"`},
		"another's by UUID is not there":          {"alice", false, u2, "", fault.NotFound, "thing not found"},
		"another's by name is not there":          {"bob", false, "db", "", fault.NotFound, "thing not found"},
		"another's by UUID for who may see it":    {"alice", true, u2, u2, "", ""},
		"a UUID of nothing":                       {"alice", true, "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1eee", "", fault.NotFound, "thing not found"},
		"nothing":                                 {"alice", true, "", "", fault.NotFound, "thing not found"},
		"a UUID in braces is a name":              {"alice", true, "{" + u1 + "}", "", fault.NotFound, "thing not found"},
		"a UUID with a wrong digit is a name too": {"alice", true, "xb4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01", "", fault.NotFound, "thing not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := finder(c.caller, c.trusted).Find(c.caller, c.ref)
			if c.kind == "" {
				require.NoError(t, err)
				require.Equal(t, c.want, o.id)
				return
			}
			require.Equal(t, c.kind, fault.KindOf(err))
			require.Equal(t, c.text, fault.Text(err))
			require.Empty(t, o)
		})
	}
}
