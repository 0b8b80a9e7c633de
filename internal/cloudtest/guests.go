package cloudtest

import (
	"context"

	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
)

// Guests is what can be asked of the guests of a world, from their inside.
type Guests interface {
	// Write has a running guest write a line of letters, digits and spaces to its disk of that device name, and returns
	// when it is there for good. A line that is there is not written twice.
	Write(ctx context.Context, id, device, line string) error
	// Read returns the lines that a running guest sees on its disk of that device name, be it that they were written
	// before the disk was copied.
	Read(ctx context.Context, id, device string) (string, error)
}

// pretended are the guests of a simulated hypervisor.
type pretended struct{ driver *simhv.Driver }

func (p pretended) Write(_ context.Context, id, device, line string) error {
	return p.driver.Write(id, device, line)
}

func (p pretended) Read(_ context.Context, id, device string) (string, error) {
	return p.driver.Read(id, device)
}
