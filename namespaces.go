package shakenfist

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
)

// DeleteNamespace removes a namespace with its artifacts; its tokens die at once. It fails with fault.Invalid while the
// namespace has instances or networks, other than such as failed: those go with it. It fails with fault.Forbidden for the
// system namespace, with fault.NotFound, and with fault.Unavailable if what goes with it does not go in time.
func (c *Cloud) DeleteNamespace(ctx context.Context, name string) error {
	const op = "shakenfist.DeleteNamespace"
	if name == namespace.System {
		return c.Namespaces.Delete(ctx, name) // says why not
	}
	if _, err := c.Namespaces.Get(ctx, name); err != nil {
		return err
	}
	instances, networks, err := c.failed(ctx, name)
	if err != nil {
		return err
	}
	if err := c.deleteWith(ctx, name, instances, networks); err != nil {
		return fault.Wrap(op, name, err)
	}
	bounded, cancel := context.WithTimeoutCause(ctx, 10*time.Second, fault.New(op, fault.Unavailable, name,
		"its failed objects were not gone in 10 seconds; try again"))
	defer cancel()
	err = c.view.Await(bounded, func() bool {
		owned, err := c.Namespaces.Owned(bounded, name)
		return err == nil && len(owned) == 0
	})
	if err != nil {
		return fault.Wrap(op, name, err)
	}
	return c.Namespaces.Delete(ctx, name)
}

// failed returns the instances and networks of a namespace that go with it. It fails with fault.Invalid if there are others,
// which its owner must delete first.
func (c *Cloud) failed(ctx context.Context, name string) (instances, networks []string, err error) {
	const op = "shakenfist.DeleteNamespace"
	for _, i := range c.Instances.List(ctx, instance.Filter{Namespace: name}) {
		if i.State != instance.Error && i.State != instance.DeleteWait {
			return nil, nil, fault.New(op, fault.Invalid, name, "you cannot delete a namespace with instances")
		}
		instances = append(instances, i.ID)
	}
	for _, n := range c.Networks.List(ctx, network.Filter{Namespace: name}) {
		if n.State != network.Error && n.State != network.DeleteWait {
			return nil, nil, fault.New(op, fault.Invalid, name, "you cannot delete a namespace with networks")
		}
		networks = append(networks, n.ID)
	}
	return instances, networks, nil
}

// deleteWith asks for the end of these instances and networks, and of the namespace's artifacts. What was accepted since they
// were listed is not among them, and keeps the namespace.
func (c *Cloud) deleteWith(ctx context.Context, name string, instances, networks []string) error {
	for _, id := range instances {
		if _, err := c.Instances.Delete(ctx, id); err != nil {
			return err
		}
	}
	for _, id := range networks {
		if _, err := c.Networks.Delete(ctx, id); err != nil {
			return err
		}
	}
	_, err := c.Artifacts.DeleteAll(ctx, name)
	return err
}
