package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
)

// oneOfEach is a server that has one object of each kind.
func oneOfEach(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	for route, body := range map[string]any{
		"POST " + api.PathAuth:      api.Token{AccessToken: "t"},
		"GET " + api.PathInstances:  []api.Instance{{UUID: "i1", Name: "web1", Interfaces: []api.Interface{{UUID: "f1"}}}},
		"GET " + api.PathNetworks:   []api.Network{{UUID: "n1", Name: "net1"}},
		"GET " + api.PathArtifacts:  []api.Artifact{{UUID: "a1", SourceURL: "http://images.example/base.raw"}},
		"GET " + api.PathBlobs:      []api.Blob{{UUID: "b1"}},
		"GET " + api.PathNodes:      []api.Node{{Name: "node-1"}},
		"GET " + api.PathNamespaces: []api.Namespace{{Name: "demo"}},
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(body); err != nil {
				t.Error(err)
			}
		})
	}
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// completes returns what the shell is offered for the last of some words.
func completes(t *testing.T, url string, words ...string) string {
	t.Helper()
	code, stdout, stderr := run(t, url, append([]string{cobra.ShellCompNoDescRequestCmd}, words...)...)
	if code != exitOK {
		t.Errorf("%v: exit code %d, %s", words, code, stderr)
	}
	return stdout
}

func TestEveryReferenceCompletesToWhatThereIs(t *testing.T) {
	t.Parallel()
	url := oneOfEach(t)
	offers := map[string]string{
		"INSTANCE": "web1\ni1\n", "NETWORK": "net1\nn1\n", "ARTIFACT": "base.raw\na1\n", "NODE": "node-1\n", "NAMESPACE": "demo\n",
	}
	seen := 0
	eachCommand(func(cmd *cobra.Command) {
		words := strings.Fields(cmd.Use)
		if len(words) < 2 || words[0] == "create" {
			return
		}
		want, ok := offers[words[1]]
		if words[1] == "UUID" {
			want, ok = map[string]string{"interface": "f1\n", "blob": "b1\n"}[cmd.Parent().Name()], true
		}
		if !ok {
			return
		}
		seen++
		path := strings.Fields(cmd.CommandPath())[1:]
		if got := completes(t, url, append(path, "")...); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", cmd.CommandPath(), got, want)
		}
	})
	if seen < 30 {
		t.Errorf("saw %d commands only", seen)
	}
}

func TestEveryFlagForAnObjectCompletesToWhatThereIs(t *testing.T) {
	t.Parallel()
	url := oneOfEach(t)
	flags := map[string]string{"namespace": "demo\n", "network": "net1\n", "floated": "net1\n", "placement": "node-1\n", "output": "table\n", "async": "continue\n"}
	eachCommand(func(cmd *cobra.Command) {
		for name, want := range flags {
			if cmd.Flags().Lookup(name) == nil && cmd.PersistentFlags().Lookup(name) == nil {
				continue
			}
			words := append(strings.Fields(cmd.CommandPath())[1:], "--"+name, "")
			if got := completes(t, url, words...); !strings.HasPrefix(got, want) {
				t.Errorf("%s --%s: %q, want %q", cmd.CommandPath(), name, got, want)
			}
		}
	})
}
