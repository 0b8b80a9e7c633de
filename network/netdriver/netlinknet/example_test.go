//go:build linux

package netlinknet_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/network/netdriver/netlinknet"
)

// This needs root: it makes a bridge, a VXLAN link, a namespace with a router, and a DHCP server.
func Example() {
	ctx := context.Background()
	driver, err := netlinknet.Open(ctx, netlinknet.Options{StateDir: "/srv/shakenfist/network", Owner: "home"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer driver.Close()
	info, err := driver.Info(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = driver.Ensure(ctx, netdriver.Network{
		ID:  netdriver.ID{UUID: "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01", VXLAN: 77},
		MTU: info.MTU,
		Gateway: &netdriver.Gateway{
			Address: netip.MustParsePrefix("10.0.0.1/24"),
			DHCP: &netdriver.DHCP{
				Domain: "tenant.shakenfist",
				Router: netip.MustParseAddr("10.0.0.1"),
				Hosts:  []netdriver.Host{{MAC: "02:00:00:4a:11:07", Address: netip.MustParseAddr("10.0.0.2"), Name: "web"}},
			},
		},
	})
	if err != nil {
		fmt.Println(err)
	}
}
