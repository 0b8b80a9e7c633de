package shakenfist

import (
	"context"
	"net/netip"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/network"
)

// sources completes what the configuration says of images' sources by what this cloud knows of its machines and tenants.
// A namespace is kept off its own networks only: if it were kept off everybody's, any tenant could hide a mirror from all
// others by making a network of its range.
func (c *Cloud) sources(s artifact.Sources) artifact.Sources {
	if s.Machines == nil {
		s.Machines = c.machines
	}
	if s.Tenants == nil {
		s.Tenants = func(ctx context.Context, namespace string) []netip.Prefix {
			var ranges []netip.Prefix
			for _, n := range c.Networks.List(ctx, network.Filter{Namespace: namespace}) {
				ranges = append(ranges, n.Netblock)
			}
			return ranges
		}
	}
	return s
}

// machines returns the addresses of the cloud's nodes among each other.
func (c *Cloud) machines(ctx context.Context) []netip.Addr {
	var addrs []netip.Addr
	for _, n := range c.Nodes.List(ctx) {
		if a, err := netip.ParseAddr(n.MeshIP); err == nil {
			addrs = append(addrs, a)
		}
	}
	return addrs
}
