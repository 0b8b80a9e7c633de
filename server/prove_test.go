//go:build prove

package server

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestProveRandomRequests asks the API ten thousand things that its document allows, and things that it doesn't.
func TestProveRandomRequests(t *testing.T) {
	const requests = 10_000
	x := explore(t, requests)
	require.Zero(t, x.counts[http.StatusInternalServerError])
	worked := len(x.operations) - len(x.idle)
	require.Greater(t, worked, len(x.operations)*9/10, "these never worked: %v", x.idle)
	t.Logf("proof: random requests from the OpenAPI document: N = %d over %d operations, of which %d worked at least once, all answered as documented: %s; none took longer than %s (limit %s)",
		requests, len(x.operations), worked, x.told(), x.slowest.Round(time.Millisecond), patient)
}
