package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// DeleteAllInstances has the instances of a namespace deleted and returns their UUIDs at once; see WaitInstanceDeleted. An
// empty namespace is the caller's own; system must name one, and if it names itself, it means all instances of the cloud.
func (c *Client) DeleteAllInstances(ctx context.Context, namespace string) ([]string, error) {
	var uuids []string
	err := c.call(ctx, http.MethodDelete, api.PathInstances, nil, deleteAll(namespace), &uuids)
	return uuids, err
}

// DeleteAllNetworks has the networks of a namespace deleted; about the namespace see DeleteAllInstances. Those that are in
// use go too if wait is true, each when its last interface does; otherwise they stay, Unable names them, and the error
// is fault.Forbidden.
func (c *Client) DeleteAllNetworks(ctx context.Context, namespace string, wait bool) (api.Undeleted, error) {
	var u api.Undeleted
	body := api.DeleteAllNetworks{DeleteAll: deleteAll(namespace), CleanWait: wait}
	err := c.call(ctx, http.MethodDelete, api.PathNetworks, nil, body, &u.Deleted)
	if !errors.Is(err, fault.Forbidden) || json.Unmarshal([]byte(fault.Text(err)), &u) != nil {
		return u, err
	}
	return u, fault.New(http.MethodDelete, fault.Forbidden, api.PathNetworks,
		"these networks are in use: %s; delete their instances first", strings.Join(u.Unable, ", "))
}

// DeleteAllArtifacts deletes the artifacts of a namespace and returns their UUIDs. An empty namespace is the caller's own;
// system must name one, and if it names itself, it means none but its own.
func (c *Client) DeleteAllArtifacts(ctx context.Context, namespace string) ([]string, error) {
	var uuids []string
	err := c.call(ctx, http.MethodDelete, api.PathArtifacts, nil, deleteAll(namespace), &uuids)
	return uuids, err
}

func deleteAll(namespace string) api.DeleteAll {
	d := api.DeleteAll{Confirm: true}
	if namespace != "" {
		d.Namespace = &namespace
	}
	return d
}
