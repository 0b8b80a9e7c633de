package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) interfaceGroup() *cobra.Command {
	g := group("interface", "Network interfaces of instances",
		"sf-client interface show 8e7b2f39-1a0c-4a53-a4a1-6a1d2a4b9d10", a.interfaceShow())
	g.AddCommand(a.metadataCommands(annotated{
		object: "an interface", argument: "UUID", example: "8e7b2f39-1a0c-4a53-a4a1-6a1d2a4b9d10", complete: interfaceNames,
		get: (*client.Client).InterfaceMetadata,
		set: (*client.Client).SetInterfaceMetadata, delete: (*client.Client).DeleteInterfaceMetadata,
	})...)
	return g
}

func (a *app) interfaceShow() *cobra.Command {
	return a.leaf(leaf{
		use: "show UUID", short: "Show an interface", example: "sf-client interface show 8e7b2f39-1a0c-4a53-a4a1-6a1d2a4b9d10",
		complete: interfaceNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			i, err := c.GetInterface(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(record{
				value: map[string]any{"network_interfaces": []api.Interface{i}}, fields: interfaceFields(i),
				more: func() error { return a.metadata(i.Metadata) },
			})
		},
	})
}

func interfaceFields(i api.Interface) []field {
	return []field{
		{"uuid", i.UUID},
		{"network", i.NetworkUUID},
		{"macaddr", i.MAC},
		{"order", strconv.Itoa(i.Order)},
		{"ipv4", orNone(i.IPv4)},
		{"floating", orNone(i.Floating)},
		{"model", i.Model},
	}
}

// interfaceColumns is the header of a list of interfaces.
func interfaceColumns() []string {
	var labels []string
	for _, f := range interfaceFields(api.Interface{}) {
		labels = append(labels, f.label)
	}
	return labels
}

func interfaceRow(i api.Interface) []string {
	var values []string
	for _, f := range interfaceFields(i) {
		values = append(values, f.value)
	}
	return values
}

// interfaces prints a list of interfaces.
func (a *app) interfaces(l api.List[api.Interface]) error {
	var rows [][]string
	for _, i := range l {
		rows = append(rows, interfaceRow(i))
	}
	return a.list(listing{value: map[string]any{"network_interfaces": l}, rows: rows, key: "uuid"})
}
