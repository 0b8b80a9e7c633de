package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/internal/cli"
	"github.com/shakenfist/shakenfist/internal/contract"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
)

// showroom runs sf-client against a cloud of its own.
type showroom struct {
	t    *testing.T
	url  string
	refs map[string]string // what each group of commands is tried on
}

// newShowroom runs a cloud with one of each thing until the test ends.
func newShowroom(t *testing.T) *showroom {
	t.Helper()
	c := simulation.Config()
	c.Node, c.Dir, c.HashCost = "node-1", t.TempDir(), bcrypt.MinCost
	cloud, err := shakenfist.New(c)
	require.NoError(t, err)
	stop := cloud.Start(t.Context())
	t.Cleanup(func() { require.NoError(t, stop()) })
	require.NoError(t, cloud.Ready(t.Context()))
	require.NoError(t, cloud.Namespaces.SetKey(t.Context(), "system", "deploy", "s3cret", false))
	front := httptest.NewServer(server.New(cloud, server.Options{}))
	t.Cleanup(front.Close)
	images := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		disk := make([]byte, 64<<10)
		disk[510], disk[511] = 0x55, 0xaa
		http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(disk))
	}))
	t.Cleanup(images.Close)
	s := &showroom{t: t, url: front.URL, refs: map[string]string{
		"instance": "web1", "network": "net1", "artifact": "base.raw", "node": "node-1", "namespace": "demo",
	}}
	s.run("namespace", "create", "demo")
	s.run("network", "create", "net1", "10.0.0.0/24")
	s.run("artifact", "cache", images.URL+"/base.raw")
	s.run("instance", "create", "web1", "1", "1024", "-d", "8@"+images.URL+"/base.raw", "-n", "net1")
	s.refs["blob"] = s.object("artifact", "show", "base.raw")["blob_uuid"].(string) //nolint:errcheck,forcetypeassert // a test
	nics := s.object("instance", "show", "web1")["network_interfaces"].([]any)      //nolint:errcheck,forcetypeassert // a test
	s.refs["interface"] = nics[0].(map[string]any)["uuid"].(string)                 //nolint:errcheck,forcetypeassert // a test
	return s
}

// run returns what a command that must succeed prints.
func (s *showroom) run(args ...string) string {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	global := []string{"--apiurl", s.url, "--namespace", "system", "--key", "s3cret"}
	code := cli.Main(append(global, args...), strings.NewReader(""), &stdout, &stderr)
	require.Zero(s.t, code, "%v: %s", args, stderr.String())
	return stdout.String()
}

// object returns what a command prints in JSON, if that is an object.
func (s *showroom) object(args ...string) map[string]any {
	s.t.Helper()
	var o map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(s.run(append([]string{"--json"}, args...)...)), &o))
	return o
}

// command is how a row is called.
func (s *showroom) command(row contract.Command) []string {
	words := strings.Fields(row.Name)
	if row.Args != "" {
		words = append(words, s.refs[words[0]])
	}
	return words
}

// TestOutputHasTheNamesOfTheContract looks for columns, labels and keys.
func TestOutputHasTheNamesOfTheContract(t *testing.T) {
	t.Parallel()
	s := newShowroom(t)
	spaces := regexp.MustCompile(` +\| +`)
	for _, row := range contract.Commands() {
		if row.Columns != "" {
			lines := strings.Split(s.run(s.command(row)...), "\n")
			require.Greater(t, len(lines), 1, row.Name)
			require.Equal(t, "| "+strings.ReplaceAll(row.Columns, ",", " | ")+" |", spaces.ReplaceAllString(strings.Join(strings.Fields(lines[1]), " "), " | "), row.Name)
			first, _, _ := strings.Cut(s.run(append([]string{"--simple"}, s.command(row)...)...), "\n")
			require.Equal(t, row.Header(), first, row.Name)
		}
		if row.Labels != "" {
			pattern := strings.ReplaceAll(regexp.QuoteMeta(row.Labels), ",", ` *:.*\n(.*\n)*?`)
			require.Regexp(t, `(^|\n)`+pattern+" *:", s.run(s.command(row)...), row.Name)
		}
		if row.Keys != "" {
			object := s.object(s.command(row)...)
			for key := range strings.SplitSeq(row.Keys, ",") {
				require.Contains(t, object, key, row.Name)
			}
		}
	}
}
