package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shakenfist/shakenfist/api"
)

// departure takes the tenant's things away again, by one request for all of a kind and with the namespace, and the node that left.
func departure() []act {
	return []act{
		{
			name: "delete node", look: nodes, wanted: "n1 created, n2 deleted",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteNode(ctx, "n2")
				return err
			},
		},
		{
			name: "delete all networks when they are not used", look: networks, wanted: "dmz delete-wait, lan delete-wait",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.guild().DeleteAllNetworks(ctx, "", true)
				return err
			},
		},
		{
			name: "delete all instances", look: living, wanted: "instances: ; networks: ",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.guild().DeleteAllInstances(ctx, "")
				return err
			},
		},
		{
			name: "delete all artifacts", look: artifacts, wanted: "",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.guild().DeleteAllArtifacts(ctx, "")
				return err
			},
		},
		{
			name: "create an artifact that goes with the namespace", look: artifacts, wanted: "disk3 created",
			do: func(ctx context.Context, a *tenant) error { return a.createArtifact(ctx, "disk3") },
		},
		{
			name: "delete namespace", look: namespaces, wanted: "system",
			do: func(ctx context.Context, a *tenant) error { return a.admin().DeleteNamespace(ctx, "guild") },
		},
	}
}

// end takes away what the operator has of the node that left, and waits until nobody remembers anything.
func end() []act {
	return []act{
		{
			name: "delete all instances of the cloud", look: everything, wanted: "0 instances, 1 networks, 1 artifacts, 1 blobs",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteAllInstances(ctx, "system")
				return err
			},
		},
		{
			name: "delete all networks of the cloud", look: everything, wanted: "0 instances, 0 networks, 1 artifacts, 1 blobs",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteAllNetworks(ctx, "system", false)
				return err
			},
		},
		{
			name: "delete all artifacts of the operator", look: everything, wanted: "0 instances, 0 networks, 0 artifacts, 0 blobs",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteAllArtifacts(ctx, "system")
				return err
			},
		},
		{
			name: "let time pass", look: nodes, wanted: "n1 created",
			do: func(context.Context, *tenant) error {
				time.Sleep(linger + 2*resync)
				return nil
			},
		},
	}
}

func nodes(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListNodes(ctx)
	return named(all, err, func(n api.Node) string { return n.Name + " " + n.State })
}

func namespaces(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListNamespaces(ctx)
	return named(all, err, func(n api.Namespace) string { return n.Name })
}

// living are the tenant's instances and networks.
func living(ctx context.Context, a *tenant) (string, error) {
	i, err := instances(ctx, a)
	n, e := networks(ctx, a)
	return "instances: " + i + "; networks: " + n, errors.Join(err, e)
}

// everything counts what there is in the cloud.
func everything(ctx context.Context, a *tenant) (string, error) {
	i, err := a.admin().ListInstances(ctx, false)
	n, e1 := a.admin().ListNetworks(ctx, false)
	f, e2 := a.admin().ListArtifacts(ctx, "")
	b, e3 := a.admin().ListBlobs(ctx, "")
	return fmt.Sprintf("%d instances, %d networks, %d artifacts, %d blobs", len(i), len(n), len(f), len(b)), errors.Join(err, e1, e2, e3)
}
