package network

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// maxName bounds names, in bytes.
const maxName = 255

// Create records the wish for a network and returns it, usually in state Initial. It fails with fault.Invalid naming the
// field that is wrong, and with fault.NotFound if there is no such namespace.
func (m *Manager) Create(ctx context.Context, s Spec) (Network, error) {
	const op = "network.Create"
	block, err := ParseBlock(s.Netblock)
	if err != nil {
		return Network{}, fault.Wrap(op, "", err)
	}
	if err := validateName(s.Name); err != nil {
		return Network{}, err
	}
	if err := m.view.Opened(ctx); err != nil {
		return Network{}, err
	}
	id := uuid.NewString()
	err = m.view.Retry(ctx, func() error {
		r := record{
			Name: s.Name, Namespace: s.Namespace, Netblock: block, DHCP: s.DHCP, NAT: s.NAT, DNS: s.DNS,
			VXLAN: m.number(1<<24-1) + 1, Created: time.Now(),
		}
		if m.Gateways {
			r.Node = m.Nodes.Name()
		}
		tx := view.Txn{Name: "create network", Ref: id}
		if err := m.Namespaces.Own(&tx, s.Namespace, "network", id); err != nil {
			return err
		}
		tx.Check(store.Absent(vxlanKey(r.VXLAN)))
		tx.Do(m.rows.Put(id, r), store.Put(vxlanKey(r.VXLAN), []byte(id)),
			m.events.Op(ctx, about(id), event.Audit, "create request", map[string]any{"netblock": block.String()}))
		m.reserveFixed(&tx, id, block)
		_, err := m.view.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return Network{}, fault.Wrap(op, id, err)
	}
	return m.Get(ctx, id)
}

// vxlanKey is the claim of a VXLAN identifier. It lies outside the view: only commits look at it.
func vxlanKey(vxlan int) string { return "c/vxlan/" + hex6(vxlan) }

func hex6(n int) string {
	const digits = "0123456789abcdef"
	var b [6]byte
	for i := range b {
		b[5-i] = digits[n>>(4*i)&15]
	}
	return string(b[:])
}

func validateName(name string) error {
	switch {
	case len(name) > maxName:
		return fault.New("network.Create", fault.Invalid, "", "name has %d bytes, at most %d are allowed", len(name), maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == '/' || r == unicode.ReplacementChar }):
		return fault.New("network.Create", fault.Invalid, "", "name %.80q has a slash or a control character", name)
	}
	return nil
}

func (m *Manager) number(below int) int {
	m.randomMu.Lock()
	defer m.randomMu.Unlock()
	return m.random.IntN(below)
}

// isConflict tells a lost race from other failures.
func isConflict(err error) bool { return errors.Is(err, fault.Conflict) }
