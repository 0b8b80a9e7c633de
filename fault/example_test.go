package fault_test

import (
	"errors"
	"fmt"

	"github.com/shakenfist/shakenfist/fault"
)

// An error says what its caller can do, what a user should read, and everything else to the log.
func Example() {
	full := errors.New("no space left on device")
	err := fault.Because("blob.disk", fault.Exhausted, "", full, "no room for the image; delete artifacts that are not needed")
	err = fault.Wrap("instance.Create", "web", err)

	fmt.Println(errors.Is(err, fault.Exhausted), fault.Permanent(err))
	fmt.Println(fault.Text(err))
	fmt.Println(err)
	// Output:
	// true true
	// no room for the image; delete artifacts that are not needed: no space left on device
	// instance.Create web: blob.disk: no room for the image; delete artifacts that are not needed: no space left on device
}
