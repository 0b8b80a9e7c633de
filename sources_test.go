package shakenfist_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/simulation"
)

// fetched caches an image and returns why that failed.
func fetched(t *testing.T, cloud *shakenfist.Cloud, namespace, url string) error {
	t.Helper()
	a, err := cloud.Artifacts.Cache(t.Context(), artifact.Request{URL: url, Namespace: namespace})
	require.NoError(t, err)
	synctest.Wait()
	a, err = cloud.Artifacts.Get(t.Context(), a.ID)
	require.NoError(t, err)
	return errors.New(a.Error)
}

func TestImagesComeNeitherFromANamespacesNetworksNorFromTheCloud(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := simulation.New().Config()
		c.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			return nil, fault.New("test", fault.Invalid, "", "%s was dialled", address)
		}}}
		c.ImageSources = artifact.Sources{Own: []string{":7000"}}
		c.Network = simnet.NewFabric().Node(netip.MustParseAddr("10.200.0.1"))
		cloud := running(t, c)
		_, err := cloud.Namespaces.Create(t.Context(), "neighbour", "", "")
		require.NoError(t, err)
		_, err = cloud.Networks.Create(t.Context(), network.Spec{Name: "n", Namespace: namespace.System, Netblock: "10.9.0.0/24"})
		require.NoError(t, err)

		require.ErrorContains(t, fetched(t, cloud, namespace.System, "http://10.9.0.5/disk.img"), "10.9.0.5:80, which is in a network of this namespace")
		require.ErrorContains(t, fetched(t, cloud, namespace.System, "http://10.9.1.5/disk.img"), "10.9.1.5:80 was dialled")
		require.ErrorContains(t, fetched(t, cloud, "neighbour", "http://10.9.0.5/disk.img"), "10.9.0.5:80 was dialled")
		require.ErrorContains(t, fetched(t, cloud, "neighbour", "http://10.200.0.1:7000/nodes"), "which is where this cloud itself listens")
		require.ErrorContains(t, fetched(t, cloud, "neighbour", "http://10.200.0.1/disk.img"), "10.200.0.1:80 was dialled")
	})
}
