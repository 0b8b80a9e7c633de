package client

import (
	"context"
	"slices"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// WaitSnapshots looks at the copies of an instance's disks until each of the blobs is made, or one could not be made, and returns what
// it saw of them last, in their order: look at State and ErrorMessage. Those of which there is nothing to see yet are left out. see, unless nil, is told of every look. When ctx ends first it fails with fault.Unavailable, saying what the
// state is. It fails with fault.NotFound if a copy was there and is not any more.
func (c *Client) WaitSnapshots(ctx context.Context, ref string, blobs []string, see func([]api.Snapshot)) ([]api.Snapshot, error) {
	was := map[string]bool{}
	return wait(ctx, c.s, see, func() ([]api.Snapshot, string, bool, error) {
		all, err := c.InstanceSnapshots(ctx, ref)
		if err != nil {
			return nil, "", false, err
		}
		var seen []api.Snapshot
		state, done, failed := api.StateCreated, true, false
		for _, id := range blobs {
			n := slices.IndexFunc(all, func(s api.Snapshot) bool { return s.BlobUUID == id })
			switch {
			case n < 0 && was[id]:
				return seen, "", false, fault.New("client.WaitSnapshots", fault.NotFound, id, "the copy was deleted while it was waited for: blob %s is not there any more", id)
			case n < 0:
				state, done = api.StateInitial, false
				continue
			}
			was[id] = true
			seen = append(seen, all[n])
			failed = failed || all[n].State == api.StateError
			if pending(all[n].State) {
				state, done = all[n].State, false
			}
		}
		return seen, state, done || failed, nil
	})
}
