package shakenfist

import (
	"context"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
)

// deletable fails with fault.Invalid if a namespace has what its owner must delete first.
func (c *Cloud) deletable(ctx context.Context, name string) error {
	const op = "shakenfist.DeleteNamespace"
	for _, i := range c.Instances.List(ctx, instance.Filter{Namespace: name}) {
		if i.State != instance.Error && i.State != instance.DeleteWait {
			return fault.New(op, fault.Invalid, name, "you cannot delete a namespace with instances")
		}
	}
	for _, n := range c.Networks.List(ctx, network.Filter{Namespace: name}) {
		if n.State != network.Error && n.State != network.DeleteWait {
			return fault.New(op, fault.Invalid, name, "you cannot delete a namespace with networks")
		}
	}
	return nil
}

// deleteOwned asks for the end of everything that a namespace owns.
func (c *Cloud) deleteOwned(ctx context.Context, name string) error {
	for _, i := range c.Instances.List(ctx, instance.Filter{Namespace: name}) {
		if _, err := c.Instances.Delete(ctx, i.ID); err != nil {
			return err
		}
	}
	for _, n := range c.Networks.List(ctx, network.Filter{Namespace: name}) {
		if _, err := c.Networks.Delete(ctx, n.ID); err != nil {
			return err
		}
	}
	for _, a := range c.Artifacts.List(ctx, name) {
		if a.Namespace != name {
			continue
		}
		if _, err := c.Artifacts.Delete(ctx, a.ID); err != nil {
			return err
		}
	}
	return nil
}
