package instance

import (
	"context"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/scheduler"
)

// Share is what a node has promised to instances, and what it can still promise.
type Share struct {
	Committed scheduler.Committed
	Room      scheduler.Room
	Active    int // instances there whose guests run
}

// ShareOf returns the share of a node, whatever its state.
func (m *Manager) ShareOf(_ context.Context, n node.Node) Share {
	c := m.candidate(&view.Txn{}, n)
	s := Share{Committed: c.Committed, Room: scheduler.RoomOn(c, m.Limits)}
	for _, r := range m.rows.By("node", n.Name) {
		if status, _ := m.statuses.Get(r.ID); status.Value.State == Created && status.Value.Power == hypervisor.PowerOn {
			s.Active++
		}
	}
	return s
}
