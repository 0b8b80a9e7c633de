package client_test

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// calls is every method that is one request, with the request it must make.
func calls(ctx context.Context, c *client.Client) map[string]func() error {
	q := api.EventQuery{Type: "audit", Limit: 3}
	const events = ` {"event_type":"audit","limit":3}`
	const instance = `{"name":"a","cpus":0,"memory":0,"network":[],"disk":[],"ssh_key":null,"user_data":null,"namespace":null,` +
		`"video":null,"uefi":false,"secure_boot":false,"nvram_template":null,"configdrive":null,"metadata":{},"side_channels":null}`
	all := map[string]func() error{
		"GET /instances {\"all\":false}":   func() error { return second(c.ListInstances(ctx, false)) },
		"GET /instances/a":                 func() error { return second(c.GetInstance(ctx, "a")) },
		"DELETE /instances/a":              func() error { return second(c.DeleteInstance(ctx, "a")) },
		"GET /instances/a/events" + events: func() error { return second(c.InstanceEvents(ctx, "a", q)) },
		"GET /instances/a/interfaces":      func() error { return second(c.InstanceInterfaces(ctx, "a")) },
		"POST /instances/a/poweron":        func() error { return c.PowerOn(ctx, "a") },
		"POST /instances/a/poweroff":       func() error { return c.PowerOff(ctx, "a") },
		"GET /instances/a/snapshot":        func() error { return second(c.InstanceSnapshots(ctx, "a")) },
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
		"GET /blob_checksums/sha1/a":       func() error { _, _, err := c.FindBlob(ctx, "sha1", "a"); return err },
		"GET /auth/namespaces":             func() error { return second(c.ListNamespaces(ctx)) },
		"GET /auth/namespaces/a":           func() error { return second(c.GetNamespace(ctx, "a")) },
		"DELETE /auth/namespaces/a":        func() error { return c.DeleteNamespace(ctx, "a") },
		"GET /auth/namespaces/a/keys":      func() error { return second(c.ListKeys(ctx, "a")) },
		"POST /auth/namespaces/a/keys {\"key_name\":\"k\",\"key\":\"s\"}":             func() error { return c.AddKey(ctx, "a", api.AddKey{KeyName: "k", Key: "s"}) },
		"DELETE /auth/namespaces/a/keys/k":                                            func() error { return c.DeleteKey(ctx, "a", "k") },
		"PUT /auth/namespaces/a/keys {\"key_name\":\"k\",\"key\":\"s\"}":              func() error { return c.UpdateKey(ctx, "a", api.AddKey{KeyName: "k", Key: "s"}) },
		"POST /auth/namespaces/a/trust {\"external_namespace\":\"b\"}":                func() error { return second(c.AddTrust(ctx, "a", "b")) },
		"DELETE /auth/namespaces/a/trust/b":                                           func() error { return second(c.RemoveTrust(ctx, "a", "b")) },
		"DELETE /instances {\"confirm\":true}":                                        func() error { return second(c.DeleteAllInstances(ctx, "")) },
		"DELETE /artifacts {\"confirm\":true,\"namespace\":\"a\"}":                    func() error { return second(c.DeleteAllArtifacts(ctx, "a")) },
		"DELETE /networks {\"confirm\":true,\"namespace\":\"a\",\"clean_wait\":true}": func() error { return second(c.DeleteAllNetworks(ctx, "a", true)) },
		"GET /admin/locks":                            func() error { return second(c.ListLocks(ctx)) },
		"GET /admin/cacert":                           func() error { return second(c.CACertificate(ctx)) },
		"GET /admin/resources":                        func() error { return second(c.Resources(ctx)) },
		"DELETE /nodes/a":                             func() error { return second(c.DeleteNode(ctx, "a")) },
		"GET /nodes/a/processmetrics":                 func() error { return second(c.ProcessMetrics(ctx, "a")) },
		"GET /blobs/a/data":                           func() error { return closed(c.BlobData(ctx, "a", 0, 0)) },
		"GET /blobs/a/data?limit=6&offset=5":          func() error { return closed(c.BlobData(ctx, "a", 5, 6)) },
		"GET /instances/a/consoledata {\"length\":5}": func() error { return closed(c.ConsoleData(ctx, "a", 5)) },
		"POST /instances?dry_run=true " + instance:    func() error { return second(c.DryRunInstance(ctx, api.CreateInstance{Name: "a"})) },
		"POST /instances " + instance:                 func() error { return second(c.CreateInstance(ctx, api.CreateInstance{Name: "a"})) },
		"POST /artifacts {\"url\":\"u\",\"shared\":false,\"namespace\":null}": func() error { return second(c.CreateArtifact(ctx, api.CreateArtifact{URL: "u"})) },
		"POST /auth/namespaces {\"namespace\":\"a\"}": func() error {
			return second(c.CreateNamespace(ctx, api.CreateNamespace{Namespace: "a"}))
		},
		"POST /networks {\"netblock\":\"10.0.0.0/24\",\"provide_dhcp\":null,\"provide_nat\":null,\"provide_dns\":null,\"name\":null,\"namespace\":null}": func() error {
			return second(c.CreateNetwork(ctx, api.CreateNetwork{Netblock: "10.0.0.0/24"}))
		},
	}
	maps.Copy(all, metadataCalls(ctx, c))
	maps.Copy(all, contentCalls(ctx, c))
	return all
}

// contentCalls is calls for what changes artifacts.
func contentCalls(ctx context.Context, c *client.Client) map[string]func() error {
	blob := "b"
	return map[string]func() error{
		"POST /artifacts/upload/a%2Fb {\"upload_uuid\":null,\"blob_uuid\":\"b\",\"source_url\":null,\"shared\":false,\"namespace\":null}": func() error {
			return second(c.UploadArtifact(ctx, "a/b", api.UploadArtifact{BlobUUID: &blob}))
		},
		"POST /artifacts/a/versions {\"max_versions\":2}":             func() error { return c.SetMaxVersions(ctx, "a", 2) },
		"POST /artifacts/a/versions {\"max_versions\":null}":          func() error { return c.SetMaxVersions(ctx, "a", 0) },
		"DELETE /artifacts/a/versions/7":                              func() error { return second(c.DeleteArtifactVersion(ctx, "a", 7)) },
		"POST /artifacts/a/share":                                     func() error { return second(c.ShareArtifact(ctx, "a")) },
		"POST /artifacts/a/unshare":                                   func() error { return second(c.UnshareArtifact(ctx, "a")) },
		"POST /label/n/a {\"blob_uuid\":\"b\",\"max_versions\":null}": func() error { return second(c.UpdateLabel(ctx, "n/a", api.UpdateLabel{BlobUUID: "b"})) },
		"POST /instances/a/snapshot {\"all\":true,\"thin\":false}":    func() error { return second(c.SnapshotInstance(ctx, "a", api.TakeSnapshot{All: true})) },
		"GET /label/a%3F":                                             func() error { return second(c.GetLabel(ctx, "a?")) },
		"DELETE /label/a":                                             func() error { return second(c.DeleteLabel(ctx, "a")) },
		"POST /upload":                                                func() error { return second(c.CreateUpload(ctx)) },
		"POST /upload/a 123":                                          func() error { return second(c.AppendUpload(ctx, "a", []byte("123"))) },
		"POST /upload/a/truncate/5":                                   func() error { return c.TruncateUpload(ctx, "a", 5) },
	}
}

// metadataCalls is calls for the metadata of all kinds.
func metadataCalls(ctx context.Context, c *client.Client) map[string]func() error {
	all := map[string]func() error{}
	for _, kind := range []struct {
		path   string
		get    func(ctx context.Context, ref string) (api.Object, error)
		set    func(ctx context.Context, ref, key string, value any) error
		delete func(ctx context.Context, ref, key string) error
	}{
		{"/artifacts", c.ArtifactMetadata, c.SetArtifactMetadata, c.DeleteArtifactMetadata},
		{"/blobs", c.BlobMetadata, c.SetBlobMetadata, c.DeleteBlobMetadata},
		{"/instances", c.InstanceMetadata, c.SetInstanceMetadata, c.DeleteInstanceMetadata},
		{"/interfaces", c.InterfaceMetadata, c.SetInterfaceMetadata, c.DeleteInterfaceMetadata},
		{"/auth/namespaces", c.NamespaceMetadata, c.SetNamespaceMetadata, c.DeleteNamespaceMetadata},
		{"/networks", c.NetworkMetadata, c.SetNetworkMetadata, c.DeleteNetworkMetadata},
		{"/nodes", c.NodeMetadata, c.SetNodeMetadata, c.DeleteNodeMetadata},
	} {
		all["GET "+kind.path+"/a/metadata"] = func() error { return second(kind.get(ctx, "a")) }
		all["PUT "+kind.path+"/a/metadata/tags {\"value\":[\"x\"]}"] = func() error { return kind.set(ctx, "a", "tags", []string{"x"}) }
		all["DELETE "+kind.path+"/a/metadata/k%2F%3F"] = func() error { return kind.delete(ctx, "a", "k/?") }
	}
	return all
}

func second[T any](_ T, err error) error { return err }

func closed(r io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	return r.Close()
}

func TestEveryMethodMakesItsRequest(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	var got string
	// The answer null decodes into everything, and is what routes with nothing to say answer.
	record := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.RequestURI()
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

// paths returns the path constants of package api by name.
func paths(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../api/path.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Path") {
			return true
		}
		all[v.Names[0].Name], err = strconv.Unquote(v.Values[0].(*ast.BasicLit).Value) //nolint:errcheck // a constant of another form panics
		if err != nil {
			t.Fatal(err)
		}
		return false
	})
	return all
}

func TestEveryPathHasAMethod(t *testing.T) {
	t.Parallel()
	// What the client asks by itself, and what is for others: probes, monitoring, readers of documentation, old clients.
	others := []string{"PathRoot", "PathAuth", "PathHealthz", "PathReadyz", "PathMetrics", "PathOpenAPI", "PathAPIDocs", "PathImages"}
	var made []string
	for request := range calls(t.Context(), newScript(t).client(nil)) {
		made = append(made, strings.FieldsFunc(request, func(r rune) bool { return r == ' ' || r == '?' })[1])
	}
	all := paths(t)
	if len(all) < 50 {
		t.Fatalf("found only %d paths", len(all))
	}
	for name, pattern := range all {
		matches := regexp.MustCompile("^" + regexp.MustCompile(`\{[a-z]+(\.\.\.)?\}`).ReplaceAllString(pattern, "[^/]+") + "$").MatchString
		if slices.ContainsFunc(made, matches) == slices.Contains(others, name) {
			t.Errorf("%s is %s; want a method that asks it, or a reason here why there is none, and not both", name, pattern)
		}
	}
}
