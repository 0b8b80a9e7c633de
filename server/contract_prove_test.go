//go:build prove

package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/internal/contract"
)

// TestProveContract prints how many rows of the contract hold, and how many come later.
func TestProveContract(t *testing.T) {
	golden, refusals, bodies := proveRows(t)
	t.Run("rows and routes", func(t *testing.T) {
		t.Run("served", TestTheContractListsWhatIsServed)
		t.Run("later", TestWhatComesLaterIsNotThere)
	})
	if t.Failed() {
		return
	}
	done, later := 0, map[int]int{}
	for _, r := range contract.Routes() {
		if r.Done() {
			done++
		} else {
			later[r.Issue]++
		}
	}
	var pending []string
	for issue := range 10 {
		if later[issue] > 0 {
			pending = append(pending, fmt.Sprintf("%d of issue %d", later[issue], issue))
		}
	}
	t.Logf("proof: contract, routes: %d rows hold: %d golden bodies, %d refusals by status and text, %d answers of status 200 of the right shape; pending and not served: %s",
		done, golden, refusals, bodies, strings.Join(pending, ", "))
}

// TestProveMatrix prints the size of the auth matrix.
func TestProveMatrix(t *testing.T) {
	refused, allowed := proveMatrix(t)
	if t.Failed() {
		return
	}
	t.Logf("proof: auth matrix: %d cells: %d refused as the rules say, like what is not there and without a trace in the store, %d allowed",
		refused+allowed, refused, allowed)
}
