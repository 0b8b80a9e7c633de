package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// instance is the module for instances.
func (m *module) instance(ctx context.Context) (outcome, error) {
	want, err := m.wantedInstance()
	if err != nil {
		return outcome{}, err
	}
	ref := cmp.Or(m.args.text("uuid"), want.Name)
	if err := m.read(); err != nil {
		return outcome{}, err
	}
	if ref == "" {
		return outcome{}, failed("name and uuid are missing; give one of them")
	}
	i, err := m.c.GetInstance(ctx, ref)
	if err != nil && !missing(err) {
		return outcome{}, err
	}
	exists := err == nil && i.State != api.StateDeleted
	switch {
	case m.absent && !exists:
		return gone("instance", ref)
	case m.absent:
		return m.deleteInstance(ctx, i)
	case !exists:
		return m.createInstance(ctx, want)
	}
	reasons, err := m.instanceDiffers(ctx, i, want)
	if err != nil {
		return outcome{object: i}, err
	}
	if len(reasons) == 0 {
		return m.annotate(ctx, i, want.Metadata)
	}
	m.logf("instance %s is made anew: %s", ref, strings.Join(reasons, ", "))
	return m.replaceInstance(ctx, i, want)
}

// replaceInstance makes an instance anew. That it could not be made is found out before the old one is gone, as far as
// that is possible.
func (m *module) replaceInstance(ctx context.Context, i api.Instance, want wantedInstance) (outcome, error) {
	want.Name = cmp.Or(want.Name, i.Name)
	if err := want.complete(); err != nil {
		return outcome{object: i}, err
	}
	if o, err := m.deleteInstance(ctx, i); err != nil {
		return o, err
	}
	return m.createInstance(ctx, want)
}

func (m *module) createInstance(ctx context.Context, want wantedInstance) (outcome, error) {
	if err := want.complete(); err != nil {
		return outcome{}, err
	}
	m.logf("creating instance %s", want.Name)
	if m.check {
		return outcome{changed: true}, nil
	}
	i, err := m.c.CreateInstance(ctx, want.CreateInstance)
	if err != nil {
		return outcome{}, err
	}
	err = m.await(ctx, func(ctx context.Context) error {
		last, err := m.c.WaitInstance(ctx, i.UUID, nil)
		if last.UUID != "" {
			i = last
		}
		return err
	})
	if err == nil && i.State == api.StateError {
		err = failed("instance %s failed: %s", i.Name, reason(i.ErrorMessage))
	}
	return outcome{changed: true, object: i}, err
}

func (m *module) deleteInstance(ctx context.Context, i api.Instance) (outcome, error) {
	m.logf("deleting instance %s", i.UUID)
	if m.check {
		return outcome{changed: true}, nil
	}
	if i.State != deleteWait {
		if _, err := m.c.DeleteInstance(ctx, i.UUID); err != nil && !missing(err) {
			return outcome{object: i}, err
		}
	}
	err := m.await(ctx, func(ctx context.Context) error {
		_, err := m.c.WaitInstanceDeleted(ctx, i.UUID, func(now api.Instance) { i = now })
		return err
	})
	if err != nil {
		return outcome{changed: true, object: i}, err
	}
	return outcome{changed: true}, nil
}

// annotate gives an instance the metadata that it should have and has not. Other keys are left alone.
func (m *module) annotate(ctx context.Context, i api.Instance, want api.Object) (outcome, error) {
	o := outcome{object: i}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if same(i.Metadata[key], want[key]) {
			continue
		}
		m.logf("setting metadata %s", key)
		if !m.check {
			if err := m.c.SetInstanceMetadata(ctx, i.UUID, key, want[key]); err != nil {
				return o, err
			}
		}
		o.changed = true
	}
	if !o.changed || m.check {
		return o, nil
	}
	var err error
	o.object, err = m.c.GetInstance(ctx, i.UUID)
	return o, err
}
