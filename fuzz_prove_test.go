//go:build prove

package shakenfist_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProveFuzz runs every fuzz target a hundred thousand times. A finding fails it, and lies in testdata/fuzz.
func TestProveFuzz(t *testing.T) {
	const least = 100_000
	out, err := exec.CommandContext(t.Context(), "tools/fuzz", strconv.Itoa(least)+"x").CombinedOutput()
	require.NoError(t, err, "%s", out)
	began := regexp.MustCompile(`(?m)^fuzz: (\S+) (Fuzz\w+)$`)
	ran := regexp.MustCompile(`execs: (\d+) `)
	names := began.FindAllStringSubmatch(string(out), -1)
	require.NotEmpty(t, names)
	total, counts := 0, []string{}
	for i, said := range began.Split(string(out), -1)[1:] {
		all := ran.FindAllStringSubmatch(said, -1)
		require.NotEmpty(t, all, said)
		n, err := strconv.Atoi(all[len(all)-1][1])
		require.NoError(t, err)
		name := names[i][1] + " " + names[i][2]
		require.GreaterOrEqual(t, n, least, name)
		total += n
		counts = append(counts, fmt.Sprintf("%s %d", name, n))
	}
	t.Logf("proof: fuzzing: N = %d targets, %d executions in all, at least %d of each, no finding: %s",
		len(names), total, least, strings.Join(counts, ", "))
}
