package client_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// calls is every method that is one request, with the request it must make.
func calls(ctx context.Context, c *client.Client) map[string]func() error {
	q := api.EventQuery{Type: "audit", Limit: 3}
	const events = ` {"event_type":"audit","limit":3}`
	return map[string]func() error{
		"GET /instances {\"all\":false}":   func() error { return second(c.ListInstances(ctx, false)) },
		"GET /instances/a":                 func() error { return second(c.GetInstance(ctx, "a")) },
		"DELETE /instances/a":              func() error { return second(c.DeleteInstance(ctx, "a")) },
		"GET /instances/a/events" + events: func() error { return second(c.InstanceEvents(ctx, "a", q)) },
		"GET /instances/a/interfaces":      func() error { return second(c.InstanceInterfaces(ctx, "a")) },
		"POST /instances/a/poweron":        func() error { return c.PowerOn(ctx, "a") },
		"POST /instances/a/poweroff":       func() error { return c.PowerOff(ctx, "a") },
		"GET /interfaces/a":                func() error { return second(c.GetInterface(ctx, "a")) },
		"GET /networks {\"all\":true}":     func() error { return second(c.ListNetworks(ctx, true)) },
		"GET /networks/a":                  func() error { return second(c.GetNetwork(ctx, "a")) },
		"DELETE /networks/a":               func() error { return second(c.DeleteNetwork(ctx, "a")) },
		"GET /networks/a/events" + events:  func() error { return second(c.NetworkEvents(ctx, "a", q)) },
		"GET /networks/a/interfaces":       func() error { return second(c.NetworkInterfaces(ctx, "a")) },
		"GET /networks/a/addresses":        func() error { return second(c.NetworkAddresses(ctx, "a")) },
		"GET /nodes":                       func() error { return second(c.ListNodes(ctx)) },
		"GET /nodes/a":                     func() error { return second(c.GetNode(ctx, "a")) },
		"GET /nodes/a/events" + events:     func() error { return second(c.NodeEvents(ctx, "a", q)) },
		"GET /artifacts {\"node\":null}":   func() error { return second(c.ListArtifacts(ctx, "")) },
		"GET /artifacts/a":                 func() error { return second(c.GetArtifact(ctx, "a")) },
		"DELETE /artifacts/a":              func() error { return second(c.DeleteArtifact(ctx, "a")) },
		"GET /artifacts/a/events" + events: func() error { return second(c.ArtifactEvents(ctx, "a", q)) },
		"GET /artifacts/a/versions":        func() error { return second(c.ArtifactVersions(ctx, "a")) },
		"GET /blobs {\"node\":\"n\"}":      func() error { return second(c.ListBlobs(ctx, "n")) },
		"GET /blobs/a":                     func() error { return second(c.GetBlob(ctx, "a")) },
		"GET /auth/namespaces":             func() error { return second(c.ListNamespaces(ctx)) },
		"GET /auth/namespaces/a":           func() error { return second(c.GetNamespace(ctx, "a")) },
		"DELETE /auth/namespaces/a":        func() error { return c.DeleteNamespace(ctx, "a") },
		"GET /auth/namespaces/a/keys":      func() error { return second(c.ListKeys(ctx, "a")) },
		"POST /auth/namespaces/a/keys {\"key_name\":\"k\",\"key\":\"s\"}": func() error { return c.AddKey(ctx, "a", api.AddKey{KeyName: "k", Key: "s"}) },
		"DELETE /auth/namespaces/a/keys/k":                                func() error { return c.DeleteKey(ctx, "a", "k") },
		"POST /auth/namespaces {\"namespace\":\"a\"}": func() error {
			return second(c.CreateNamespace(ctx, api.CreateNamespace{Namespace: "a"}))
		},
		"POST /networks {\"netblock\":\"10.0.0.0/24\",\"provide_dhcp\":null,\"provide_nat\":null,\"provide_dns\":null,\"name\":null,\"namespace\":null}": func() error {
			return second(c.CreateNetwork(ctx, api.CreateNetwork{Netblock: "10.0.0.0/24"}))
		},
	}
}

func second[T any](_ T, err error) error { return err }

func TestEveryMethodMakesItsRequest(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	var got string
	// The answer null decodes into everything, and is what routes with nothing to say answer.
	record := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path
		if len(body) > 0 {
			got += " " + string(body)
			if !json.Valid(body) {
				t.Errorf("%s: the body is not JSON", got)
			}
		}
		say(200, nil)(w, r)
	}
	s.any = record
	for want, call := range calls(t.Context(), s.client(nil)) {
		if err := call(); err != nil || got != want {
			t.Errorf("made %s (%v), want %s", got, err, want)
		}
	}
}
