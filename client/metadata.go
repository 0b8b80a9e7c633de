package client

import (
	"context"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// Metadata is what users note on objects: a JSON value for each key. A value is never empty: "", 0, false, [], {} and null
// are refused with fault.Invalid, and so are values of an instance's keys tags and affinity that are not of their shape.
// Keys that are not there may be deleted.

// ArtifactMetadata returns the metadata of an artifact.
func (c *Client) ArtifactMetadata(ctx context.Context, ref string) (api.Object, error) {
	return c.metadata(ctx, api.PathArtifactMetadata, ref)
}

// SetArtifactMetadata gives a key of an artifact's metadata a value.
func (c *Client) SetArtifactMetadata(ctx context.Context, ref, key string, value any) error {
	return c.setMetadata(ctx, api.PathArtifactMetadataKey, ref, key, value)
}

// DeleteArtifactMetadata removes a key from an artifact's metadata.
func (c *Client) DeleteArtifactMetadata(ctx context.Context, ref, key string) error {
	return c.deleteMetadata(ctx, api.PathArtifactMetadataKey, ref, key)
}

// BlobMetadata returns the metadata of a blob.
func (c *Client) BlobMetadata(ctx context.Context, uuid string) (api.Object, error) {
	return c.metadata(ctx, api.PathBlobMetadata, uuid)
}

// SetBlobMetadata gives a key of a blob's metadata a value.
func (c *Client) SetBlobMetadata(ctx context.Context, uuid, key string, value any) error {
	return c.setMetadata(ctx, api.PathBlobMetadataKey, uuid, key, value)
}

// DeleteBlobMetadata removes a key from a blob's metadata.
func (c *Client) DeleteBlobMetadata(ctx context.Context, uuid, key string) error {
	return c.deleteMetadata(ctx, api.PathBlobMetadataKey, uuid, key)
}

// InstanceMetadata returns the metadata of an instance.
func (c *Client) InstanceMetadata(ctx context.Context, ref string) (api.Object, error) {
	return c.metadata(ctx, api.PathInstanceMetadata, ref)
}

// SetInstanceMetadata gives a key of an instance's metadata a value.
func (c *Client) SetInstanceMetadata(ctx context.Context, ref, key string, value any) error {
	return c.setMetadata(ctx, api.PathInstanceMetadataKey, ref, key, value)
}

// DeleteInstanceMetadata removes a key from an instance's metadata.
func (c *Client) DeleteInstanceMetadata(ctx context.Context, ref, key string) error {
	return c.deleteMetadata(ctx, api.PathInstanceMetadataKey, ref, key)
}

// InterfaceMetadata returns the metadata of an interface.
func (c *Client) InterfaceMetadata(ctx context.Context, uuid string) (api.Object, error) {
	return c.metadata(ctx, api.PathInterfaceMetadata, uuid)
}

// SetInterfaceMetadata gives a key of an interface's metadata a value.
func (c *Client) SetInterfaceMetadata(ctx context.Context, uuid, key string, value any) error {
	return c.setMetadata(ctx, api.PathInterfaceMetadataKey, uuid, key, value)
}

// DeleteInterfaceMetadata removes a key from an interface's metadata.
func (c *Client) DeleteInterfaceMetadata(ctx context.Context, uuid, key string) error {
	return c.deleteMetadata(ctx, api.PathInterfaceMetadataKey, uuid, key)
}

// NamespaceMetadata returns the metadata of a namespace.
func (c *Client) NamespaceMetadata(ctx context.Context, name string) (api.Object, error) {
	return c.metadata(ctx, api.PathNamespaceMetadata, name)
}

// SetNamespaceMetadata gives a key of a namespace's metadata a value.
func (c *Client) SetNamespaceMetadata(ctx context.Context, name, key string, value any) error {
	return c.setMetadata(ctx, api.PathNamespaceMetadataKey, name, key, value)
}

// DeleteNamespaceMetadata removes a key from a namespace's metadata.
func (c *Client) DeleteNamespaceMetadata(ctx context.Context, name, key string) error {
	return c.deleteMetadata(ctx, api.PathNamespaceMetadataKey, name, key)
}

// NetworkMetadata returns the metadata of a network.
func (c *Client) NetworkMetadata(ctx context.Context, ref string) (api.Object, error) {
	return c.metadata(ctx, api.PathNetworkMetadata, ref)
}

// SetNetworkMetadata gives a key of a network's metadata a value.
func (c *Client) SetNetworkMetadata(ctx context.Context, ref, key string, value any) error {
	return c.setMetadata(ctx, api.PathNetworkMetadataKey, ref, key, value)
}

// DeleteNetworkMetadata removes a key from a network's metadata.
func (c *Client) DeleteNetworkMetadata(ctx context.Context, ref, key string) error {
	return c.deleteMetadata(ctx, api.PathNetworkMetadataKey, ref, key)
}

// NodeMetadata returns the metadata of a node, for system only.
func (c *Client) NodeMetadata(ctx context.Context, name string) (api.Object, error) {
	return c.metadata(ctx, api.PathNodeMetadata, name)
}

// SetNodeMetadata gives a key of a node's metadata a value, for system only.
func (c *Client) SetNodeMetadata(ctx context.Context, name, key string, value any) error {
	return c.setMetadata(ctx, api.PathNodeMetadataKey, name, key, value)
}

// DeleteNodeMetadata removes a key from a node's metadata, for system only.
func (c *Client) DeleteNodeMetadata(ctx context.Context, name, key string) error {
	return c.deleteMetadata(ctx, api.PathNodeMetadataKey, name, key)
}

func (c *Client) metadata(ctx context.Context, pattern, ref string) (api.Object, error) {
	var o api.Object
	err := c.call(ctx, http.MethodGet, pattern, []string{ref}, nil, &o)
	return o, err
}

func (c *Client) setMetadata(ctx context.Context, pattern, ref, key string, value any) error {
	return c.call(ctx, http.MethodPut, pattern, []string{ref, key}, api.MetadataValue{Value: value}, nil)
}

func (c *Client) deleteMetadata(ctx context.Context, pattern, ref, key string) error {
	return c.call(ctx, http.MethodDelete, pattern, []string{ref, key}, nil, nil)
}
