package shakenfist

import (
	"context"
	"path/filepath"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/internal/bounded"
	"github.com/shakenfist/shakenfist/internal/stepped"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/upload"
)

// assemble makes the managers. Each gets what it uses, and no more.
func (c *Cloud) assemble(f Config) {
	if f.Steps != nil {
		f.State = stepped.Store(f.State, f.Steps)
		f.Hypervisor = stepped.Hypervisor(f.Hypervisor, f.Steps)
		f.Network = stepped.Network(f.Network, f.Steps)
	}
	f.Hypervisor, f.Network = bounded.Hypervisor(f.Hypervisor), bounded.Network(f.Network)
	c.Events = event.New(event.Deps{
		Store: f.State, Node: f.Node, Dir: filepath.Join(f.Dir, "events"),
		Ages: f.EventAges, Budget: f.EventBudget, Delay: f.EventDelay, Log: f.Logger,
	})
	f.State = c.Events.Store()
	c.view = view.New(f.State, f.Logger)
	c.Metadata = metadata.New(c.view, c.Events)
	c.Namespaces = namespace.New(c.view, c.Events, f.Secret, f.HashCost)
	c.Nodes = node.New(node.Deps{
		View: c.view, Events: c.Events, Name: f.Node, Inventory: func(ctx context.Context) node.Inventory { return inventory(ctx, f) },
		TTL: f.LeaseTTL, Resync: f.Resync, Linger: f.Linger, Log: f.Logger,
	})
	c.Blobs = blob.New(blob.Deps{
		View: c.view, Events: c.Events, Driver: f.Hypervisor, Dir: f.Dir, Node: f.Node, Fence: c.Nodes.Fence,
		Limits: f.ImageLimits, MinFree: minFree(f), Linger: f.Linger, Resync: f.Resync,
		CacheIdle: f.CacheIdle, Verify: f.VerifyEvery, Log: f.Logger,
	})
	c.Artifacts = artifact.New(artifact.Deps{
		View: c.view, Events: c.Events, Blobs: c.Blobs, Namespaces: c.Namespaces, Metadata: c.Metadata, Node: f.Node, Fence: c.Nodes.Fence,
		Client: f.HTTPClient, Sources: c.sources(f.ImageSources), Proxy: f.ImageProxy, ImageURL: f.ImageURL, CirrosURL: f.CirrosURL,
		Patience: f.Patience, MaxFetch: f.Transfer, MaxVersions: f.MaxVersions,
		Linger: f.Linger, Resync: f.Resync, Log: f.Logger,
	})
	c.Uploads = upload.New(upload.Deps{
		View: c.view, Events: c.Events, Blobs: c.Blobs, Dir: f.Dir, Node: f.Node, Fence: c.Nodes.Fence,
		MaxSize: f.ImageLimits.Bytes, Idle: f.UploadIdle, Resync: f.Resync, Log: f.Logger,
	})
	c.Networks = network.New(network.Deps{
		View: c.view, Events: c.Events, Namespaces: c.Namespaces, Metadata: c.Metadata, Nodes: c.Nodes, Driver: f.Network,
		Gateways: !f.NotGateway, Zone: f.Zone, DNSServers: f.DNSServers, Halo: f.Halo, Patience: f.Patience,
		Linger: f.Linger, Resync: f.Resync, Log: f.Logger,
	})
	c.Instances = instance.New(instance.Deps{
		View: c.view, Events: c.Events, Namespaces: c.Namespaces, Metadata: c.Metadata, Nodes: c.Nodes,
		Networks: c.Networks, Artifacts: c.Artifacts, Blobs: c.Blobs, Driver: f.Hypervisor,
		Dir: f.Dir, Zone: f.Zone, DNSServers: f.DNSServers, DefaultBus: f.DefaultBus, Limits: f.Limits,
		Mesh: func(ctx context.Context) (int, error) {
			here, err := f.Network.Info(ctx)
			return c.Networks.MTU(ctx, here), err
		},
		Patience: f.Patience, Deadline: f.Deadline, Transfer: f.Transfer, Linger: f.Linger, Resync: f.Resync,
		Compress: !f.UncompressedSnapshots, Thin: f.ThinSnapshots, Log: f.Logger,
	})
	c.Nodes.OnDelete(c.Instances.NodeDeleted, c.Networks.NodeDeleted, c.Artifacts.NodeDeleted, c.Uploads.NodeDeleted, c.Blobs.NodeDeleted)
	c.guardMetadata()
}

// guardMetadata has each manager speak for its objects: what is noted on one goes with it.
func (c *Cloud) guardMetadata() {
	c.Metadata.Guard(metadata.Artifact, c.Artifacts.Guard)
	c.Metadata.Guard(metadata.Blob, c.Blobs.Guard)
	c.Metadata.Guard(metadata.Instance, c.Instances.Guard)
	c.Metadata.Guard(metadata.Interface, c.Networks.GuardInterface)
	c.Metadata.Guard(metadata.Namespace, c.Namespaces.Guard)
	c.Metadata.Guard(metadata.Network, c.Networks.Guard)
	c.Metadata.Guard(metadata.Node, c.Nodes.Guard)
}

// minFree is what content leaves free of this node's disk, as blob.Deps says. What a simulated machine reserves of its own
// disk is none of the real one's business.
func minFree(f Config) int64 {
	if f.HostRoot == "" {
		return 0
	}
	return f.Limits.MinimumFreeDiskBytes
}

// inventory is what this node says of itself.
func inventory(ctx context.Context, f Config) node.Inventory {
	i := node.Inventory{Release: Version, IsHypervisor: !f.NotHypervisor, IsNetworkNode: !f.NotGateway}
	host, err := f.Hypervisor.Host(ctx)
	if err != nil {
		i.Down = fault.Text(err)
	}
	i.Hypervisor, i.Accelerator = host.Version, host.Accelerator
	i.CPUs, i.MemoryMiB, i.MaxVCPUs = host.CPUs, host.MemoryMiB, host.MaxVCPUs
	if mesh, err := f.Network.Info(ctx); err == nil {
		i.MTU = mesh.MTU
		if mesh.MeshIP.IsValid() {
			i.MeshIP = mesh.MeshIP.String()
		}
	} else if i.Down == "" {
		i.Down = fault.Text(err)
	}
	if i.DiskTotal, i.DiskFree = host.DiskBytes, host.DiskBytes; host.DiskBytes == 0 {
		i.DiskTotal, i.DiskFree = diskSpace(f.Dir)
	}
	return i
}
