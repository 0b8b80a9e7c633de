//go:build !(cgo && libvirt_dlopen)

package libvirthv

import (
	"context"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// Driver runs guests with libvirt. This build has none.
type Driver struct{ hypervisor.Driver }

// Close does nothing in this build.
func (*Driver) Close() error { return nil }

// Open fails with fault.Invalid, because this build has no libvirt.
func Open(_ context.Context, o Options) (*Driver, error) {
	if _, err := o.filled(); err != nil {
		return nil, err
	}
	return nil, fault.New("libvirthv.Open", fault.Invalid, "",
		"this build has no libvirt: rebuild with -tags libvirt_dlopen and CGO_ENABLED=1")
}
