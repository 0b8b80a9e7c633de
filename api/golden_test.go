package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/api"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// at returns 2023-05-27 23:18:29.9 UTC, plus d.
func at(d time.Duration) api.Time {
	return api.At(time.Unix(1685229509, 900_000_000).Add(d))
}

// bodies are one of each body, full and empty. The keys are names of golden files.
func bodies() map[string]any {
	all := map[string]any{}
	for _, part := range []map[string]any{instanceBodies(), networkBodies(), artifactBodies(), otherBodies(), requestBodies()} {
		maps.Copy(all, part)
	}
	return all
}

func instanceBodies() map[string]any {
	card := api.Video{Model: "cirrus", Memory: 16384, VDI: "spice"}
	return map[string]any{
		"instance": api.Instance{
			UUID: "d51aa352-368c-484c-9e4c-4542927b4277", Name: "web1", Namespace: "demo", Version: api.InstanceVersion,
			State: api.StateCreated, PowerState: "on", Metadata: api.Object{"tags": []string{"web"}}, Node: new("node-3"),
			RequestedPlacement: "node-3", CPUs: 1, Memory: 1024,
			DiskSpec: []api.DiskSpec{
				{Base: new("debian:12"), BlobUUID: "5117f778-0000-4000-8000-000000000000", Size: new(20), Type: new("disk")},
				{Size: new(5), Type: new("disk"), DiskBase: &api.Null{}},
			},
			Disks: []api.Disk{
				{Device: "vda", Bus: "virtio", Size: new(20), BlobUUID: new("5117f778-0000-4000-8000-000000000000")},
				{Device: "vdb", Bus: "virtio", SnapshotIgnores: true},
			},
			Interfaces: []api.Interface{{UUID: "8e7b2f39", Order: 0, Model: "virtio", State: "created", Version: 3}},
			Video:      card, MachineType: "pc", ConfigDrive: "openstack-disk", SideChannels: []string{"sf-agent"},
			AgentState: "ready", AgentStart: new(at(0)), AgentSystemBoot: new(at(-29900 * time.Millisecond)),
			ConsolePort: new(30049), VDIPort: new(37804), VDITLSPort: new(43197),
		},
		"instance-new": api.Instance{
			UUID: "d51aa352-368c-484c-9e4c-4542927b4277", Name: "a<b", Namespace: "demo", Version: api.InstanceVersion,
			State: api.StateError, PowerState: "initial", ErrorMessage: new("no node has room"), Video: card,
			MachineType: "pc", ConfigDrive: "none", AgentState: "not ready (no contact)",
		},
	}
}

func networkBodies() map[string]any {
	return map[string]any{
		"network": api.Network{
			UUID: "1e9222c5", Name: "net1", Namespace: "demo", Netblock: "10.0.0.0/24", ProvideDHCP: true, ProvideNAT: true,
			FloatingGateway: new("192.168.10.16"), VXLANID: 4882442, VXID: 4882442, State: "created", Version: api.NetworkVersion,
		},
		"network-new": api.Network{UUID: "1e9222c5", Name: "net1", State: "initial", Version: api.NetworkVersion},
		"interface": api.Interface{
			UUID: "8e7b2f39", NetworkUUID: "1bed1aa5", InstanceUUID: "c0d52a77", MAC: "02:00:00:6d:e5:e0", IPv4: new("10.0.0.47"),
			Order: 1, Model: "virtio", Floating: new("192.168.10.73"), State: "created", Version: api.InterfaceVersion,
		},
		"interface-bare": api.Interface{UUID: "8e7b2f39", Model: "virtio", State: "initial", Version: api.InterfaceVersion},
		"reservation": api.Reservation{
			Address: "10.0.0.47", Type: "instance", User: []string{"instance", "c0d52a77"}, When: at(0),
		},
		"reservation-halo": api.Reservation{Address: "10.0.0.48", Type: "deletion-halo", When: at(100 * time.Millisecond)},
	}
}

func artifactBodies() map[string]any {
	blob := api.Blob{
		UUID: "578da8b6", State: "created", Size: 3566573056, Modified: at(0), FetchedAt: at(0), LastUsed: new(at(time.Minute)),
		Transcodes: api.Strings{"zlib;qcow2;cluster_size": "ebafb833"}, Locations: []string{"node-1", "node-2"},
		ReferenceCount: 26, SHA512: new("e83e"), Version: api.BlobVersion, Instances: api.List[string]{},
		ImageInfo: &api.ImageInfo{
			MIMEType: "application/octet-stream", FileFormat: "qcow2", VirtualSize: 32212254720, ClusterSize: new(api.Float(2097152)),
			DiskSize: "3.31 GiB", Compat: new(api.Float(1.1)), CompressionType: "zlib", ExtendedL2: "false",
		},
	}
	return map[string]any{
		"blob":         blob,
		"blob-new":     api.Blob{UUID: "578da8b6", State: "initial", Version: api.BlobVersion},
		"blob-indexed": api.IndexedBlob{Blob: blob, Index: 101},
		"artifact": api.Artifact{
			UUID: "69ff59a7", Type: "image", SourceURL: "https://example.com/?a=1&b=2", Namespace: "system", Shared: true,
			MaxVersions: 3, Index: 101, BlobUUID: "25adc99e", State: "created", Version: api.ArtifactVersion,
			Blobs: api.ByIndex[api.ArtifactBlob]{
				101: {UUID: "25adc99e", Size: 308406784, ReferenceCount: 1, Instances: []string{"c0d52a77"}},
				99:  {UUID: "af85e6cd", Size: 307489280, ReferenceCount: 1, DependsOn: new("25adc99e")},
			},
		},
		"artifact-new": api.Artifact{UUID: "69ff59a7", Type: "image", SourceURL: "debian:12", MaxVersions: 3, State: "initial", Version: 6},
	}
}

func otherBodies() map[string]any {
	return map[string]any{
		"node": api.Node{
			UUID: "node-1", Name: "node-1", IP: "192.168.21.51", State: "created", LastSeen: at(0), Release: "0.8.0",
			Version: api.NodeVersion, IsHypervisor: true, IsNetworkNode: true, IsEventLogNode: true, IsClusterMaintainer: true,
		},
		"node-never-seen": api.Node{UUID: "node-1", Name: "node-1", State: "missing", Version: api.NodeVersion},
		"namespace": api.Namespace{
			Name: "demo", State: "created", Keys: []string{"deploy"}, Trust: api.Trust{Full: []string{"system"}},
			Version: api.NamespaceVersion,
		},
		"namespace-bare": api.Namespace{Name: "demo", State: "created", Version: api.NamespaceVersion},
		"event": api.Event{
			Type: "usage", Timestamp: at(0), FQDN: "node-3", Duration: new(api.Float(2)), Message: "usage",
			Extra: api.Object{"cpu time ns": int64(9007199254740993)},
		},
		"event-bare": api.Event{Type: "audit", Timestamp: at(0), FQDN: "node-3", Message: "artifact fetch complete"},
		"token":      api.Token{AccessToken: "e30.e30.e30", TokenType: "Bearer", ExpiresIn: 900},
		"error":      api.Error{Error: "instance not found", Status: 404},
	}
}

func requestBodies() map[string]any {
	return map[string]any{
		"create-instance": api.CreateInstance{
			Name: "web1", CPUs: 1, Memory: 1024, Disk: []api.DiskSpec{{Base: new("debian:12"), Size: new(8)}},
			Network: []api.NetworkSpec{{Network: "net1"}, {Network: "net2", Address: "none", Float: true}},
			Video:   &api.Video{Model: "vga", Memory: 16384, VDI: "vnc"}, SideChannels: []string{}, PlacedOn: "node-1",
		},
		"create-instance-defaults": api.CreateInstance{Name: "web1", CPUs: 1, Memory: 1024},
		"create-network":           api.CreateNetwork{Netblock: "10.0.0.0/24", Name: new("net1"), ProvideNAT: new(false)},
		"create-artifact":          api.CreateArtifact{URL: "debian:12"},
		"create-namespace":         api.CreateNamespace{Namespace: "demo"},
		"add-key":                  api.AddKey{KeyName: "deploy", Key: "s3cret"},
		"auth":                     api.Auth{Namespace: "demo", Key: "s3cret"},
		"event-query":              api.EventQuery{Type: "audit", Limit: -1},
		"node-query":               api.NodeQuery{},
	}
}

func TestBodiesHaveTheBytesThatClientsRelyOn(t *testing.T) {
	t.Parallel()
	for name, body := range bodies() {
		got, err := json.Marshal(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got = append(got, '\n')
		file := filepath.Join("testdata", "golden", name+".json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\ngot  %swant %s", name, got, want)
		}
	}
}
