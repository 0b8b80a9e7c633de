package cloudtest

import (
	"context"
	"errors"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// poll is the time between looks: short, for these tests are about what happens, not about patience.
const poll = 10 * time.Millisecond

// until asks again until done, ctx ends, or ask fails for a reason that does not pass.
func until(ctx context.Context, ask func() (done bool, err error)) error {
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Up brings the world to one network with one instance from an image on it, both created. What is there already is used.
func Up(ctx context.Context, c *client.Client, image string) (api.Instance, error) {
	network, err := upNetwork(ctx, c)
	if err != nil {
		return api.Instance{}, err
	}
	all, err := c.ListInstances(ctx, false)
	if err != nil {
		return api.Instance{}, err
	}
	var i api.Instance
	if len(all) > 0 {
		i = all[0]
	} else if i, err = c.CreateInstance(ctx, Tiny("web1", image, network.UUID)); err != nil {
		return i, err
	}
	err = until(ctx, func() (bool, error) {
		if i, err = c.GetInstance(ctx, i.UUID); err != nil {
			return false, err
		}
		if i.State == "error" {
			return false, errors.New("the instance failed: " + *i.ErrorMessage)
		}
		return i.State == "created", nil
	})
	return i, err
}

func upNetwork(ctx context.Context, c *client.Client) (api.Network, error) {
	all, err := c.ListNetworks(ctx, false)
	if err != nil {
		return api.Network{}, err
	}
	var n api.Network
	name := "lan"
	if len(all) > 0 {
		n = all[0]
	} else if n, err = c.CreateNetwork(ctx, api.CreateNetwork{Name: &name, Netblock: "10.77.0.0/24"}); err != nil {
		return n, err
	}
	err = until(ctx, func() (bool, error) {
		if n, err = c.GetNetwork(ctx, n.UUID); err != nil {
			return false, err
		}
		if n.State == "error" {
			return false, errors.New("the network failed")
		}
		return n.State == "created", nil
	})
	return n, err
}

// Tiny asks for an instance of the least size that the tiny guest boots with.
func Tiny(name, image, network string) api.CreateInstance {
	size, base := 1, image
	i := api.CreateInstance{
		Name: name, CPUs: 1, Memory: 128, SideChannels: []string{},
		Disk: []api.DiskSpec{{Size: &size}},
	}
	if image != "" {
		i.Disk[0].Base = &base
	}
	if network != "" {
		i.Network = []api.NetworkSpec{{Network: network}}
	}
	return i
}

// Down deletes every instance, network and artifact and returns when all are gone.
func Down(ctx context.Context, c *client.Client) error {
	for _, part := range []func(context.Context, *client.Client) error{downInstances, downNetworks, downImages} {
		if err := part(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func downInstances(ctx context.Context, c *client.Client) error {
	all, err := c.ListInstances(ctx, false)
	if err != nil {
		return err
	}
	for _, i := range all {
		if _, err := c.DeleteInstance(ctx, i.UUID); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	return until(ctx, func() (bool, error) {
		left, err := c.ListInstances(ctx, false)
		return len(left) == 0, err
	})
}

func downNetworks(ctx context.Context, c *client.Client) error {
	all, err := c.ListNetworks(ctx, false)
	if err != nil {
		return err
	}
	for _, n := range all {
		if _, err := c.DeleteNetwork(ctx, n.UUID); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	return until(ctx, func() (bool, error) {
		left, err := c.ListNetworks(ctx, false)
		return len(left) == 0, err
	})
}

func downImages(ctx context.Context, c *client.Client) error {
	all, err := c.ListArtifacts(ctx, "")
	if err != nil {
		return err
	}
	for _, a := range all {
		if _, err := c.DeleteArtifact(ctx, a.UUID); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	return until(ctx, func() (bool, error) {
		left, err := c.ListBlobs(ctx, "")
		return len(left) == 0, err
	})
}
