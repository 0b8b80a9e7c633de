package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/shakenfist/shakenfist/api"
)

// ListInstances returns the instances of the namespace, those of all namespaces for system; with all, deleted ones too.
func (c *Client) ListInstances(ctx context.Context, all bool) ([]api.Instance, error) {
	var l []api.Instance
	err := c.call(ctx, http.MethodGet, api.PathInstances, nil, api.ListQuery{All: all}, &l)
	return l, err
}

// GetInstance returns an instance. By UUID, deleted ones are found for a while too.
func (c *Client) GetInstance(ctx context.Context, ref string) (api.Instance, error) {
	var i api.Instance
	err := c.call(ctx, http.MethodGet, api.PathInstance, []string{ref}, c.within(), &i)
	return i, err
}

// CreateInstance has an instance made and returns it at once, in state initial; see WaitInstance.
func (c *Client) CreateInstance(ctx context.Context, r api.CreateInstance) (api.Instance, error) {
	if r.Namespace == nil {
		r.Namespace = c.namespace
	}
	var i api.Instance
	err := c.call(ctx, http.MethodPost, api.PathInstances, nil, r, &i)
	return i, err
}

// DryRunInstance asks where the cloud would place an instance, and why nowhere else. Nothing is made. It fails like
// CreateInstance where the request makes no sense; an instance that fits nowhere is no failure.
func (c *Client) DryRunInstance(ctx context.Context, r api.CreateInstance) (api.DryRun, error) {
	if r.Namespace == nil {
		r.Namespace = c.namespace
	}
	var d api.DryRun
	answer, err := c.open(ctx, http.MethodPost, api.PathInstances, nil, url.Values{"dry_run": {"true"}}, r)
	if err != nil {
		return d, err
	}
	return d, decode(answer, http.MethodPost, api.PathInstances, &d)
}

// DeleteInstance has an instance deleted and returns it at once, usually not deleted yet; see WaitInstanceDeleted.
func (c *Client) DeleteInstance(ctx context.Context, ref string) (api.Instance, error) {
	var i api.Instance
	err := c.call(ctx, http.MethodDelete, api.PathInstance, []string{ref}, c.within(), &i)
	return i, err
}

// InstanceEvents returns what happened to an instance, newest first.
func (c *Client) InstanceEvents(ctx context.Context, ref string, q api.EventQuery) ([]api.Event, error) {
	return c.events(ctx, api.PathInstanceEvents, ref, q)
}

// InstanceInterfaces returns the interfaces of an instance, in order.
func (c *Client) InstanceInterfaces(ctx context.Context, ref string) ([]api.Interface, error) {
	var l []api.Interface
	err := c.call(ctx, http.MethodGet, api.PathInstanceInterfaces, []string{ref}, nil, &l)
	return l, err
}

// ConsoleData returns the last length bytes of what an instance wrote to its serial console; 0 means 10240, -1 all. The
// caller closes it.
func (c *Client) ConsoleData(ctx context.Context, ref string, length int) (io.ReadCloser, error) {
	answer, err := c.open(ctx, http.MethodGet, api.PathInstanceConsole, []string{ref}, nil, api.ConsoleQuery{Length: length})
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// PowerOn starts an instance. It returns when the instance runs.
func (c *Client) PowerOn(ctx context.Context, ref string) error {
	return c.call(ctx, http.MethodPost, api.PathInstancePowerOn, []string{ref}, nil, nil)
}

// PowerOff stops an instance as if its plug were pulled. It returns when the instance is off.
func (c *Client) PowerOff(ctx context.Context, ref string) error {
	return c.call(ctx, http.MethodPost, api.PathInstancePowerOff, []string{ref}, nil, nil)
}

// within returns the argument that keeps a call on one object inside the client's namespace; nil if In named none.
func (c *Client) within() any {
	if c.namespace == nil {
		return nil
	}
	return api.InNamespace{Namespace: c.namespace}
}

func (c *Client) events(ctx context.Context, pattern, ref string, q api.EventQuery) ([]api.Event, error) {
	var l []api.Event
	err := c.call(ctx, http.MethodGet, pattern, []string{ref}, q, &l)
	return l, err
}
