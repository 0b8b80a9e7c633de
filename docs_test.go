package shakenfist_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
	nodes "github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/upload"
)

var update = flag.Bool("update", false, "rewrite what is generated in docs")

// generated compares what stands in a file between the two marks, or the whole file if begin is "", with what should.
func generated(t *testing.T, path, begin, end, want string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if !*update {
		require.NoError(t, err)
	}
	before, after, have := "", "", string(content)
	if begin != "" {
		var opened, closed bool
		before, have, opened = strings.Cut(have, begin)
		have, after, closed = strings.Cut(have, end)
		require.True(t, opened && closed, "%s has no %q followed by %q", path, begin, end)
		before, after = before+begin, end+after
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+want+after), 0o644))
		return
	}
	require.Equal(t, want, have, "%s is out of date; run make golden and look at the difference", path)
}

// README.md shows the very program that examples/embed is.
func TestReadmeShowsTheEmbeddingExample(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("examples/embed/main.go")
	require.NoError(t, err)
	generated(t, "README.md", "```go\n", "```\n", string(program))
}

// docs/ARCHITECTURE.md has the layer table that TestImportsPointDown enforces.
func TestArchitectureHasTheLayerTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("| package | may import |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(layers)) {
		words := strings.Fields(layers[name])
		for i, w := range words {
			words[i] = "`" + w + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.Join(words, " "))
	}
	generated(t, "docs/ARCHITECTURE.md", "<!-- layers: generated from deps_test.go by make golden -->\n", "<!-- end of layers -->", b.String())
}

// docs/ARCHITECTURE.md says what each package of the layer table is for.
func TestArchitectureTellsOfEveryPackage(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("docs/ARCHITECTURE.md")
	require.NoError(t, err)
	for name := range layers {
		require.Contains(t, string(content), "**`"+name+"`**", "docs/ARCHITECTURE.md has no paragraph on %s", name)
	}
}

// docs/states.md has the moves that the code allows, and no others.
func TestStatesAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# States\n\nGenerated from the tables of moves in the code, by `make golden`. What each state means stands beside it in the Go\n" +
		"documentation: `go doc ./instance Initial` and its like.\n")
	states(&b, "instance", instance.Initial, instance.Next)
	states(&b, "network", network.Initial, network.Next)
	states(&b, "artifact", artifact.Initial, artifact.Next)
	states(&b, "blob", blob.Created, blob.Next)
	states(&b, "upload", upload.Created, upload.Next)
	states(&b, "node", nodes.Created, nodes.Next)
	generated(t, "docs/states.md", "", "", b.String())
}

// states draws the moves that begin at first, each state when it is met.
func states[S ~string](b *strings.Builder, kind string, first S, next func(S) []S) {
	fmt.Fprintf(b, "\n## %s\n\n```mermaid\nstateDiagram-v2\n    [*] --> %s\n", kind, node(first))
	seen, queue := map[S]bool{first: true}, []S{first}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		moves := next(s)
		if len(moves) == 0 {
			fmt.Fprintf(b, "    %s --> [*]\n", node(s))
		}
		for _, to := range moves {
			fmt.Fprintf(b, "    %s --> %s\n", node(s), node(to))
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	b.WriteString("```\n")
}

// docs/decisions/0018-dependencies.md names every module that is used, with the reason.
func TestEveryDependencyHasItsReason(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/decisions/0018-dependencies.md")
	require.NoError(t, err)
	var known []string
	for _, m := range regexp.MustCompile("`([a-z0-9._/-]+/[a-z0-9._/-]+)`").FindAllStringSubmatch(string(page), -1) {
		known = append(known, m[1])
	}
	for _, line := range goList(t, "-tags", "libvirt_dlopen,prove,failpoints", "-f",
		`{{join .Imports "\n"}}{{"\n"}}{{join .TestImports "\n"}}{{"\n"}}{{join .XTestImports "\n"}}`, "./...") {
		host, _, _ := strings.Cut(line, "/")
		if !strings.Contains(host, ".") || strings.HasPrefix(line, module) {
			continue
		}
		if !slices.ContainsFunc(known, func(k string) bool { return strings.Contains(line+"/", k+"/") }) {
			t.Errorf("%s is used, and docs/decisions/0018-dependencies.md does not say why", line)
		}
	}
}

// node is a state's name as the diagrams can have it.
func node[S ~string](s S) string { return strings.ReplaceAll(string(s), "-", "_") }
