package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// deleteWait is the state of an object that is still in use and goes when it is not.
const deleteWait = "delete-wait"

// network is the module for networks.
func (m *module) network(ctx context.Context) (outcome, error) {
	want := api.CreateNetwork{
		Name: m.args.optional("name"), Netblock: m.args.text("netblock"), ProvideDHCP: m.args.flag("provide_dhcp", "dhcp"),
		ProvideNAT: m.args.flag("provide_nat", "nat"), ProvideDNS: m.args.flag("provide_dns", "dns"),
	}
	ref := cmp.Or(m.args.text("uuid"), orNone(want.Name))
	if err := m.read(); err != nil {
		return outcome{}, err
	}
	if ref == "" {
		return outcome{}, failed("name and uuid are missing; give one of them")
	}
	n, err := m.c.GetNetwork(ctx, ref)
	if err != nil && !missing(err) {
		return outcome{}, err
	}
	exists := err == nil && n.State != api.StateDeleted
	switch {
	case m.absent && !exists:
		return gone("network", ref)
	case m.absent:
		return m.deleteNetwork(ctx, n)
	case !exists:
		return m.createNetwork(ctx, want)
	}
	reasons := networkDiffers(n, want)
	if len(reasons) == 0 {
		return outcome{object: n}, nil
	}
	m.logf("network %s is made anew: %s", ref, strings.Join(reasons, ", "))
	return m.replaceNetwork(ctx, n, want)
}

// networkDiffers returns what about a network is not as it should be.
func networkDiffers(n api.Network, want api.CreateNetwork) []string {
	var d differences
	d.text("name", n.Name, want.Name)
	if want.Netblock != "" {
		d.text("netblock", n.Netblock, &want.Netblock)
	}
	d.flag("provide_dhcp", n.ProvideDHCP, want.ProvideDHCP)
	d.flag("provide_nat", n.ProvideNAT, want.ProvideNAT)
	d.flag("provide_dns", n.ProvideDNS, want.ProvideDNS)
	d.state(n.State)
	return d
}

func (m *module) createNetwork(ctx context.Context, want api.CreateNetwork) (outcome, error) {
	if want.Name == nil || want.Netblock == "" {
		return outcome{}, failed("a network needs a name and a netblock to be created")
	}
	m.logf("creating network %s", *want.Name)
	if m.check {
		return outcome{changed: true}, nil
	}
	n, err := m.c.CreateNetwork(ctx, want)
	if err != nil {
		return outcome{}, err
	}
	err = m.await(ctx, func(ctx context.Context) error {
		last, err := m.c.WaitNetwork(ctx, n.UUID, nil)
		if last.UUID != "" {
			n = last
		}
		return err
	})
	if err == nil && n.State == api.StateError {
		err = failed("network %s failed; its events say why", n.UUID)
	}
	return outcome{changed: true, object: n}, err
}

// replaceNetwork makes a network anew, unless it is in use.
func (m *module) replaceNetwork(ctx context.Context, n api.Network, want api.CreateNetwork) (outcome, error) {
	if want.Name == nil {
		want.Name = &n.Name
	}
	if want.Netblock == "" {
		want.Netblock = n.Netblock
	}
	if o, err := m.deleteNetwork(ctx, n); err != nil {
		return o, err
	}
	return m.createNetwork(ctx, want)
}

// deleteNetwork deletes a network, unless it is in use: then nothing is done, for it might be in use for ever.
func (m *module) deleteNetwork(ctx context.Context, n api.Network) (outcome, error) {
	users, err := m.networkUsers(ctx, n.UUID)
	if err == nil && len(users) > 0 {
		err = failed("network %s is in use by %s; delete them first", n.Name, strings.Join(users, ", "))
	}
	if err != nil {
		return outcome{object: n}, err
	}
	m.logf("deleting network %s", n.UUID)
	if m.check {
		return outcome{changed: true}, nil
	}
	if _, err := m.c.DeleteNetwork(ctx, n.UUID); err != nil {
		return outcome{object: n}, err
	}
	err = m.await(ctx, func(ctx context.Context) error {
		_, err := m.c.WaitNetworkDeleted(ctx, n.UUID, func(now api.Network) { n = now })
		return err
	})
	if err != nil {
		return outcome{changed: true, object: n}, err
	}
	return outcome{changed: true}, nil
}

// networkUsers returns the names of the instances on a network, in alphabetical order, but of those that are on their way out.
func (m *module) networkUsers(ctx context.Context, uuid string) ([]string, error) {
	interfaces, err := m.c.NetworkInterfaces(ctx, uuid)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, i := range interfaces {
		instance, err := m.c.GetInstance(ctx, i.InstanceUUID)
		switch {
		case missing(err) || err == nil && (instance.State == deleteWait || instance.State == api.StateDeleted):
		case err != nil:
			return nil, err
		default:
			names = append(names, "instance "+instance.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
