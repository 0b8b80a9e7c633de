package instance

import (
	"context"
	"errors"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/view"
)

// awaited bounds how long a call waits until a node did what was asked.
const awaited = 60 * time.Second

// PowerOn starts the guest and returns when it runs; one that runs already is left alone. It fails with fault.NotReady if
// the instance is not built, and with the hypervisor's reason if the guest can't be started.
func (m *Manager) PowerOn(ctx context.Context, id string) error {
	return fault.Wrap("instance.PowerOn", id, m.power(ctx, id, true))
}

// PowerOff stops the guest at once, as if the plug were pulled, and returns when it is off. It fails as PowerOn does.
func (m *Manager) PowerOff(ctx context.Context, id string) error {
	return fault.Wrap("instance.PowerOff", id, m.power(ctx, id, false))
}

// power commits what is wanted and waits until the node says that it did it.
func (m *Manager) power(ctx context.Context, id string, on bool) error {
	turn, err := m.wantPower(ctx, id, on)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, awaited, fault.New("instance.power", fault.Unavailable, id,
		"node did not answer in %s; the change is still wanted and will be made when it does", awaited))
	defer cancel()
	var s status
	err = m.view.Await(ctx, func() bool {
		row, ok := m.statuses.Get(id)
		s = row.Value
		return !ok || s.Turn >= turn || s.State != Created
	})
	switch {
	case err != nil && on && m.isTaking(id):
		return fault.New("instance.power", fault.Unavailable, id, "a snapshot of the instance is being taken; it will be powered on when that is done")
	case err != nil:
		return err
	case s.State != Created:
		return fault.New("instance.power", fault.Conflict, id, "instance became %s meanwhile", s.State)
	case s.Turn == turn && s.Fault != nil:
		return fault.New("instance.power", s.Fault.Kind, id, "%s", s.Fault.Text)
	}
	return nil
}

func (m *Manager) wantPower(ctx context.Context, id string, on bool) (turn int64, err error) {
	err = m.view.Retry(ctx, func() error {
		row, ok := m.rows.Get(id)
		if !ok {
			return errNotFound("instance.power", id)
		}
		if i, _ := m.get(id); i.State != Created {
			return fault.New("instance.power", fault.NotReady, id, "instance %s is not ready (%s)", id, i.State)
		}
		r := row.Value
		r.Power, r.Turn = on, r.Turn+1
		turn = r.Turn
		message := "power off request"
		if on {
			message = "power on request"
		}
		tx := view.Txn{Name: message, Ref: id}
		tx.Check(m.rows.At(row, id))
		tx.Do(m.rows.Put(id, r), m.events.Op(ctx, about(id), event.Audit, message, nil))
		_, err := m.view.Commit(ctx, tx)
		return err
	})
	return turn, err
}

// keepPower carries out the latest wish for power, once, and otherwise records what the guest does.
func (m *Manager) keepPower(ctx context.Context, row row, s status) error {
	if s.Turn < row.Value.Turn {
		return m.turnPower(ctx, row)
	}
	m.mu.Lock()
	now, looked := m.observed[row.ID].power, m.looked
	m.mu.Unlock()
	if !looked {
		return nil // the sweep looks first
	}
	if now == "" {
		now = hypervisor.PowerOff // there is no domain
	}
	if now == s.Power {
		return nil
	}
	tx := view.Txn{Name: "record power", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	m.note(ctx, &tx, row.ID, "guest is "+string(now), func(s *status) { s.Power = now })
	_, err := m.view.Commit(ctx, tx)
	return err
}

func (m *Manager) turnPower(ctx context.Context, row row) error {
	power, failed := hypervisor.PowerOff, error(nil)
	if row.Value.Power {
		power = hypervisor.PowerOn
		if failed = m.powerUp(ctx, row); errors.Is(failed, errCopying) {
			return nil // its end wakes us
		}
	} else {
		failed = m.bring(row.ID, power, func() error { return m.Driver.Stop(ctx, row.ID) })
	}
	if power == hypervisor.PowerOff && errors.Is(failed, fault.NotFound) {
		failed = nil // what is not defined is off
	}
	if failed != nil && (ctx.Err() != nil || conflicting(failed)) {
		return failed
	}
	tx := view.Txn{Name: "record power", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	message := "powered " + string(power)
	if failed != nil {
		message = "power " + string(power) + " failed: " + fault.Text(failed)
	}
	m.note(ctx, &tx, row.ID, message, func(s *status) {
		s.Turn, s.Fault = row.Value.Turn, nil
		if failed != nil {
			s.Fault = &powerFault{Kind: fault.KindOf(failed), Text: fault.Text(failed)}
			return
		}
		s.Power = power
	})
	_, err := m.view.Commit(ctx, tx)
	return err
}

// errCopying says that a snapshot needs the disks as they are.
var errCopying = fault.New("instance.powerUp", fault.NotReady, "", "a snapshot of the instance is being taken")

// powerUp starts the guest with a fresh config drive and its present definition. One that runs is left alone. It fails with
// errCopying while a snapshot has the disks, or began with them, be it in the process before this one.
func (m *Manager) powerUp(ctx context.Context, row row) error {
	m.mu.Lock()
	runs := m.observed[row.ID].power == hypervisor.PowerOn
	m.mu.Unlock()
	if runs {
		return nil
	}
	// A snapshot that can't go on tries again by itself, with pauses. To seize the disks would cut these short: giving them
	// back wakes it, and when it fails it wakes us.
	if m.isCopying(row.ID) || !m.seize(row.ID) {
		return errCopying
	}
	defer m.let(row.ID, &m.taker)
	if m.isCopying(row.ID) { // it had them a moment ago
		return errCopying
	}
	if m.hasHeld(row.ID) {
		if err := m.release(ctx, row.ID); err != nil {
			return err
		}
	}
	for _, f := range []func(context.Context, view.Row[record]) error{m.makeConfigDrive, m.define} {
		if err := f(ctx, row); err != nil {
			return err
		}
	}
	return m.start(ctx, row)
}

// bring has f bring a guest into a state. That it is in it is noted before and not after: what the guest does by itself
// from then on is newer.
func (m *Manager) bring(id string, p hypervisor.Power, f func() error) error {
	m.mu.Lock()
	was, known := m.observed[id]
	m.sightings++
	now := sighting{power: p, count: m.sightings}
	m.observed[id] = now
	m.mu.Unlock()
	err := f()
	if err == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.observed[id] != now:
	case known:
		m.observed[id] = was
	default:
		delete(m.observed, id)
	}
	return err
}

// sighting is what a guest was last known to do.
type sighting struct {
	power hypervisor.Power
	count uint64 // of sightings when it was made; orders it against a list that was asked for meanwhile
}

// see notes what a guest does; "" that its domain is gone.
func (m *Manager) see(id string, p hypervisor.Power) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sightings++
	m.observed[id] = sighting{power: p, count: m.sightings}
}

// look asks the hypervisor what all guests do, and wakes those of which it is news. What was seen while it answered is
// newer than its answer.
func (m *Manager) look(ctx context.Context) ([]hypervisor.Status, error) {
	m.mu.Lock()
	before := m.sightings
	m.mu.Unlock()
	domains, err := m.Driver.List(ctx)
	if err != nil {
		m.Nodes.Look()
		return nil, err
	}
	now := make(map[string]sighting, len(domains))
	for _, d := range domains {
		now[d.ID] = sighting{power: d.Power, count: before}
	}
	m.mu.Lock()
	for id, s := range m.observed {
		if s.count > before {
			now[id] = s
		}
	}
	m.observed, m.looked = now, true
	m.mu.Unlock()
	for _, d := range domains {
		if s, ok := m.statuses.Get(d.ID); ok && s.Value.Power != d.Power {
			m.loop.Wake(d.ID)
		}
	}
	return domains, nil
}

// watch follows what the hypervisor tells until ctx ends.
func (m *Manager) watch(ctx context.Context) {
	for ctx.Err() == nil {
		events := m.Driver.Watch(ctx)
		m.lookAgain(ctx) // what happened before the call just made is in no event
		for e, err := range events {
			if err != nil {
				m.Nodes.Look()
				break
			}
			if e.ID == "" {
				m.lookAgain(ctx)
				continue
			}
			m.see(e.ID, e.Power)
			m.loop.Wake(e.ID)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// lookAgain looks at every domain, because something may have been missed.
func (m *Manager) lookAgain(ctx context.Context) {
	m.Nodes.Look()
	if _, err := m.look(ctx); err != nil {
		return // the next event or resync comes back to it
	}
	m.loop.WakeAll()
}
