package client

import (
	"context"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// SnapshotInstance has disks of an instance copied, all as they are at one moment, and says at once what the copies will be, by
// device; none if there is no such device. InstanceSnapshots tells when they are made.
func (c *Client) SnapshotInstance(ctx context.Context, ref string, r api.TakeSnapshot) (map[string]api.TakenSnapshot, error) {
	var taken map[string]api.TakenSnapshot
	err := c.call(ctx, http.MethodPost, api.PathInstanceSnapshot, []string{ref}, r, &taken)
	return taken, err
}

// InstanceSnapshots returns the copies of an instance's disks, oldest first, and after them those that are being made or could
// not be made.
func (c *Client) InstanceSnapshots(ctx context.Context, ref string) ([]api.Snapshot, error) {
	var l []api.Snapshot
	err := c.call(ctx, http.MethodGet, api.PathInstanceSnapshot, []string{ref}, nil, &l)
	return l, err
}
