package shakenfist_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/shakenfist/shakenfist"

// layers is the layer table of docs/ARCHITECTURE.md: which packages of this module a package may import, tests aside.
// "+x" stands for everything that x may import and x itself.
var layers = map[string]string{
	// 0: words
	"fault":         "",
	"internal/step": "",
	"api":           "",

	// 1: contracts, their simulations and drivers, and what is pure
	"store":                              "fault",
	"store/memstore":                     "+store",
	"store/etcdstore":                    "+store internal/step",
	"store/storetest":                    "+store",
	"instance/hypervisor":                "",
	"network/netdriver":                  "fault",
	"internal/reconcile":                 "+store",
	"internal/view":                      "+store internal/step",
	"internal/lookup":                    "fault",
	"event/segment":                      "fault internal/step",
	"internal/moves":                     "fault",
	"internal/machine":                   "fault",
	"internal/ociref":                    "fault",
	"internal/bounded":                   "fault instance/hypervisor network/netdriver",
	"internal/stepped":                   "+store instance/hypervisor network/netdriver internal/step",
	"scheduler":                          "fault",
	"configdrive":                        "fault",
	"internal/qcow2":                     "fault",
	"internal/foreign":                   "fault",
	"internal/qemuimg":                   "+internal/qcow2 internal/step",
	"instance/hypervisor/internal/feed":  "instance/hypervisor",
	"instance/hypervisor/internal/image": "instance/hypervisor +internal/qcow2 internal/foreign",
	"instance/hypervisor/internal/whole": "fault internal/step",
	"instance/hypervisor/simhv":          "+instance/hypervisor/internal/feed +instance/hypervisor/internal/image +instance/hypervisor/internal/whole",
	"instance/hypervisor/libvirthv":      "+instance/hypervisor/internal/feed +instance/hypervisor/internal/image +instance/hypervisor/internal/whole +internal/qemuimg",
	"network/netdriver/simnet":           "network/netdriver fault",
	"network/netdriver/netlinknet":       "network/netdriver fault internal/step",

	// 2: managers
	"event":     "+store +event/segment",
	"metadata":  "+internal/view event",
	"namespace": "+metadata",
	"node":      "+internal/view +metadata event internal/moves internal/reconcile",
	"network":   "+internal/view +namespace +metadata +node internal/lookup internal/moves internal/reconcile network/netdriver",
	"blob":      "+metadata internal/moves internal/reconcile instance/hypervisor internal/qcow2 internal/foreign",
	"artifact":  "+blob +namespace +metadata internal/lookup internal/ociref",
	"upload":    "+blob internal/lookup internal/step",
	"instance":  "+network +artifact +scheduler +configdrive",

	// 3: the root
	".": "+instance +upload internal/bounded internal/stepped internal/machine",

	// 4: the two ends of the wire, and what puts simulations together
	"simulation": "+. store/memstore instance/hypervisor/simhv network/netdriver/simnet",
	"server":     "+. api",
	"client":     "api fault",

	// 5: programs
	"internal/cli":    "client api fault internal/ociref",
	"internal/daemon": "+server +simulation client store/etcdstore instance/hypervisor/libvirthv network/netdriver/netlinknet",
	"cmd/sf-daemon":   "internal/daemon",
	"cmd/sf-client":   "internal/cli",
	"examples/embed":  "+simulation",
}

// allowed expands what a package may import.
func allowed(t *testing.T, name string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for word := range strings.FieldsSeq(layers[name]) {
		expand := strings.HasPrefix(word, "+")
		word = strings.TrimPrefix(word, "+")
		_, known := layers[word]
		require.True(t, known || strings.Contains(word, "internal/"), "the layer table names %s, which it does not list", word)
		all[word] = true
		if expand {
			for w := range allowed(t, word) {
				all[w] = true
			}
		}
	}
	return all
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	out, err := cmd.Output()
	require.NoError(t, err, "go list %v", args)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func short(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, line := range goList(t, "-tags", "libvirt_dlopen", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...") {
		words := strings.Fields(line)
		name := short(words[0])
		seen[name] = true
		if _, listed := layers[name]; !listed {
			continue
		}
		may := allowed(t, name)
		for _, i := range words[1:] {
			if !strings.HasPrefix(i, module) {
				continue
			}
			if !may[short(i)] {
				t.Errorf("%s imports %s; docs/ARCHITECTURE.md does not allow it", name, short(i))
			}
		}
	}
	for name := range layers {
		if !seen[name] {
			t.Errorf("the layer table lists %s, which does not exist", name)
		}
	}
	for name := range seen {
		if _, listed := layers[name]; !listed && !isSupport(name) {
			t.Errorf("%s is missing in the layer table", name)
		}
	}
}

// isSupport tells packages that only tests and tools use; nothing in the layers may import them, which the table sees to.
func isSupport(name string) bool {
	return strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "tools/") || strings.HasPrefix(name, "examples/") ||
		strings.HasSuffix(name, "test") || strings.Contains(name, "/internal/")
}

func TestSimulationsLinkNoDriver(t *testing.T) {
	t.Parallel()
	deps := goList(t, "-deps", "./examples/embed")
	for _, banned := range []string{
		"runtime/cgo", "libvirt.org/go/libvirt", "go.etcd.io/etcd/client/v3", "go.etcd.io/etcd/server/v3/embed",
		"github.com/vishvananda/netlink", "sigs.k8s.io/knftables", "testing", module + "/server",
	} {
		if slices.Contains(deps, banned) && banned != "runtime/cgo" {
			t.Errorf("examples/embed links %s", banned)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./examples/embed")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	require.NoError(t, err)
	require.NotContains(t, strings.Split(string(out), "\n"), "runtime/cgo")
}
