package daemon

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImagesDoNotComeFromWhereTheCloudListens(t *testing.T) {
	t.Parallel()
	c, _, err := loadConfig(map[string]string{
		"SHAKENFIST_ETCD_ENDPOINTS":     "http://etcd-1:2379,https://10.1.1.1,10.1.1.2:2380",
		"SHAKENFIST_IMAGE_SOURCE_DENY":  "8080",
		"SHAKENFIST_IMAGE_SOURCE_ALLOW": "169.254.1.1:80",
	})
	require.NoError(t, err)
	s, err := c.sources(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 13000})
	require.NoError(t, err)
	require.Equal(t, []string{"etcd-1:2379", "10.1.1.1:2379", "10.1.1.2:2380", "127.0.0.1:13000"}, s.Own)
	require.Len(t, s.Deny, 1)
	require.Len(t, s.Allow, 1)
	require.Nil(t, s.Mesh, "no interface is named")

	alone := config{EtcdHost: "etcd"}
	require.Equal(t, []string{"etcd:2379"}, alone.storeAddresses())
	alone = config{MeshNIC: "lo"}
	s, err = alone.sources(&net.TCPAddr{Port: 1})
	require.NoError(t, err)
	require.Equal(t, []string{":1"}, s.Own)
	require.Nil(t, s.Mesh)
}

// The network of an interface is the mesh's alone if the default route goes elsewhere.
func TestOnlyAMeshOfItsOwnIsNoSource(t *testing.T) {
	t.Parallel()
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	const local = "eth1\t0000FEA9\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
	line := func(nic string) string { return nic + "\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" }
	for text, mesh := range map[string]bool{
		head + line("eth0") + local: true,
		head + line("lo"):           false, // which stands for the interface here
		head + local:                false,
		"":                          false,
	} {
		path := filepath.Join(t.TempDir(), "route")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		ranges := meshRanges("lo", path)
		require.Equal(t, mesh, len(ranges) > 0, "%q gives %v", text, ranges)
	}
	require.Empty(t, meshRanges("lo", filepath.Join(t.TempDir(), "missing")))
}
