//go:build !(cgo && libvirt_dlopen)

package libvirthv

import (
	"errors"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
)

func TestABuildWithoutLibvirtSaysSo(t *testing.T) {
	_, err := Open(t.Context(), Options{Owner: "cloud", Node: "node1"})
	if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Text(err), "-tags libvirt_dlopen") {
		t.Errorf("error is %v, want invalid, naming the tag", err)
	}
}
