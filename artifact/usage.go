package artifact

import (
	"context"

	"github.com/shakenfist/shakenfist/event"
)

// ReportUsage records, for each artifact that this node looks after, how many bytes its versions have. From the first call on,
// a change of that is recorded when it happens.
func (m *Manager) ReportUsage(ctx context.Context) error {
	m.mu.Lock()
	if m.told == nil {
		m.told = map[string]int64{}
	}
	m.mu.Unlock()
	for _, id := range m.ids() {
		if row, ok := m.rows.Get(id); !ok || !row.Value.Deleted.IsZero() || m.versions.Count("artifact", id) == 0 {
			continue
		}
		if err := m.tellUsage(ctx, id, m.usage(ctx, id)); err != nil {
			return err
		}
	}
	return nil
}

// noteUsage records how many bytes an artifact has if that is not what was recorded last.
func (m *Manager) noteUsage(ctx context.Context, id string) error {
	now := m.usage(ctx, id)
	m.mu.Lock()
	same := m.told == nil || m.told[id] == now
	m.mu.Unlock()
	if same {
		return nil
	}
	return m.tellUsage(ctx, id, now)
}

func (m *Manager) tellUsage(ctx context.Context, id string, bytes int64) error {
	if err := m.Events.Sample(ctx, about(id), event.Usage, "usage", map[string]any{"bytes": bytes}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told[id] = bytes
	return nil
}

// forgetUsage is for an artifact that is deleted.
func (m *Manager) forgetUsage(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.told, id)
}

// usage returns how many bytes the versions of an artifact have. What another artifact has too counts for both.
func (m *Manager) usage(ctx context.Context, id string) int64 {
	var sum int64
	for _, v := range m.versions.By("artifact", id) {
		if b, err := m.Blobs.Get(ctx, v.Value.Blob); err == nil {
			sum += b.Size
		}
	}
	return sum
}
