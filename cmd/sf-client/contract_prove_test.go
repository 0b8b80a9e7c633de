//go:build prove

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/internal/contract"
)

// TestProveCommands prints how many rows of the command line there are, and how many come later. The ordinary tests run
// their scripts.
func TestProveCommands(t *testing.T) {
	done, options, later := 0, 0, map[int]int{}
	for _, row := range contract.Commands() {
		if !row.Done() {
			later[row.Issue]++
			continue
		}
		done++
		options += len(row.Options)
	}
	t.Run("rows", func(t *testing.T) {
		t.Run("exist", TestCommandsAreThoseOfTheContract)
		t.Run("are run", TestEveryCommandIsRunInEachFormat)
		t.Run("hold", TestScripts)
	})
	var pending []string
	for issue := range 10 {
		if later[issue] > 0 {
			pending = append(pending, fmt.Sprintf("%d of issue %d", later[issue], issue))
		}
	}
	if !t.Failed() {
		t.Logf("proof: contract, commands: %d rows hold in pretty, simple and JSON, with %d options; pending and not there: %s",
			done, options, strings.Join(pending, ", "))
	}
}
