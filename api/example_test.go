package api_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/shakenfist/shakenfist/api"
)

// What is not set is null, lists and objects never are, and times are floats.
func Example() {
	b, err := json.Marshal(api.Reservation{Address: "10.0.0.48", Type: "deletion-halo", When: api.At(time.Unix(1685229510, 0))})
	fmt.Println(string(b), err)
	fmt.Println(api.Path(api.PathArtifact, "demo/base image"))
	// Output:
	// {"address":"10.0.0.48","type":"deletion-halo","user":[],"when":1685229510.0,"comment":""} <nil>
	// /artifacts/demo%2Fbase%20image
}
