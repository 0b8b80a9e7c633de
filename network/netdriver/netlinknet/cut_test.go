//go:build linux

package netlinknet

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

var identities = regexp.MustCompile("#[0-9]+")

// shape returns the inventory without identities.
func (m *machine) shape(t testing.TB) []string {
	t.Helper()
	lines := m.inventory(t)
	for i, line := range lines {
		lines[i] = identities.ReplaceAllString(line, "#")
	}
	slices.Sort(lines)
	return lines
}

// wantShape fails if the host does not have that shape.
func (m *machine) wantShape(t testing.TB, want []string, why string) {
	t.Helper()
	if diff := cmp.Diff(want, m.shape(t)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", why, diff)
	}
}

// clear removes what the driver lists, as a node's loop removes what nobody wants.
func (m *machine) clear(t testing.TB) {
	t.Helper()
	ids, err := m.driver().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		m.remove(t, netdriver.Network{ID: id})
	}
}

// TestACallCutOffAtAnyStep cuts calls off before and after each of their steps. A new driver must be able to finish
// the call, and, from the list alone, to remove everything.
func TestACallCutOffAtAnyStep(t *testing.T) {
	t.Parallel()
	plain := joined(1)
	plain.Gateway = nil
	smaller := joined(1, 2)
	smaller.MTU = 1300
	for _, c := range []struct {
		name  string
		from  *netdriver.Network // what there is before; nil for nothing
		call  Call
		least int // steps
		check func(t *testing.T, m *machine)
	}{
		{"making a network", nil, Call{Network: joined(1, 2)}, 25, func(t *testing.T, m *machine) {
			t.Helper()
			if !m.lease(t, joined(1, 2), 2) {
				t.Error("no lease")
			}
		}},
		{"adding a DHCP host", new(joined(1, 2)), Call{Network: joined(1, 2, 3)}, 3, func(t *testing.T, m *machine) {
			t.Helper()
			if !m.lease(t, joined(1, 2), 3) {
				t.Error("no lease for the host that was added")
			}
		}},
		{"removing a DHCP host", new(joined(1, 2, 3)), Call{Network: joined(1, 2)}, 4, func(t *testing.T, m *machine) {
			t.Helper()
			if m.lease(t, joined(1, 2), 3) {
				t.Error("a lease for the host that was removed")
			}
		}},
		{"changing the MTU", new(joined(1, 2)), Call{Network: smaller}, 8, nil},
		{"dropping the gateway", new(joined(1, 2)), Call{Network: plain}, 4, nil},
		{"removing a network", new(joined(1, 2)), Call{Network: joined(1), Remove: true}, 6, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newHost(t)
			m.ensure(t, joined(1, 2))
			m.remove(t, joined(1, 2))
			empty := m.inventory(t)
			prepare := func() {
				t.Helper()
				m.clear(t)
				m.wantSame(t, empty, "before")
				if c.from != nil {
					m.ensure(t, *c.from)
				}
			}
			prepare()
			steps, err := m.driver().do(c.call)
			if err != nil {
				t.Fatal(err)
			}
			want := m.shape(t)
			if len(steps) < c.least {
				t.Errorf("only %d steps: %s", len(steps), strings.Join(steps, "; "))
			}
			t.Logf("%d steps", len(steps))
			for i, name := range steps {
				for _, after := range []bool{false, true} {
					call := c.call
					call.CutAt, call.After = i+1, after
					cut := func() {
						t.Helper()
						prepare()
						if took, err := m.driver().do(call); err == nil || len(took) != i+1 || took[i] != name {
							t.Fatalf("cut at step %d, %s, after=%t: got %d steps and %v", i+1, name, after, len(took), err)
						}
						m.open(t)
					}
					cut()
					if _, err := m.driver().do(c.call); err != nil {
						t.Fatalf("again after a cut at %s, after=%t: %v", name, after, err)
					}
					m.wantShape(t, want, "again after a cut at "+name)
					if c.check != nil && after {
						c.check(t, m)
					}
					cut()
					m.clear(t)
					m.wantSame(t, empty, "removed after a cut at "+name)
				}
			}
		})
	}
}

// TestADaemonKilledAtAnyMoment kills the process at random moments, between steps too.
func TestADaemonKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	m := newHost(t)
	n := joined(1, 2)
	m.ensure(t, n)
	want := m.shape(t)
	m.remove(t, n)
	empty := m.inventory(t)
	killed := 0
	for i := range 24 {
		call := Call{Network: n, KillIn: time.Duration(1+rand.IntN(20_000)) * time.Microsecond}
		if i%3 == 2 {
			m.ensure(t, n)
			call.Remove = true
		}
		if _, err := m.driver().do(call); err != nil {
			killed++
		}
		_ = m.daemon.cmd.Wait() // it is killed, in time or too late
		m.reopen(t)
		if i%2 == 0 {
			m.ensure(t, n)
			m.wantShape(t, want, "Ensure after a kill")
			if !m.lease(t, n, 2) {
				t.Error("no lease after a kill")
			}
		}
		m.clear(t)
		m.wantSame(t, empty, "after a kill")
	}
	t.Logf("%d calls were killed", killed)
	if killed == 0 {
		t.Error("no call was killed")
	}
}
