// Package api holds what server and clients of the REST API share: the JSON bodies, the paths and the words of the root
// page. It has no behaviour beyond encoding and imports the standard library only.
//
// The bodies keep four promises that clients in other languages rely on:
//
//   - A field that may be unset is a pointer and is null when it is; one documented as absent has omitempty or omitzero.
//   - Lists and objects are never null: a nil [List] is [], a nil [Object] is {}.
//   - Times are floats of Unix seconds and never integers; counts, sizes and ports are integers and never floats. Neither
//     is ever in exponent form.
//   - Keys keep the order in which the fields stand here.
//
// Sizes: memory of instances in MiB, of video in KiB, disks in GiB, everything else in bytes.
package api

// The schema versions that views carry in their field version. A client that sees a higher one than it knows may go on:
// fields are only ever added.
const (
	ArtifactVersion  = 6
	UploadVersion    = 3
	BlobVersion      = 6
	InstanceVersion  = 14
	InterfaceVersion = 3
	NamespaceVersion = 5
	NetworkVersion   = 6
	NodeVersion      = 7
)

// The states that a client has to tell apart while it waits for an object. There are more; see the views.
const (
	StateInitial  = "initial"  // wanted; nothing has been made yet
	StateCreating = "creating" // being made
	StateCreated  = "created"  // there, and usable
	StateDeleted  = "deleted"  // gone; still answered by UUID for a while
	StateError    = "error"    // failed for good; an instance says why in error_message
)

// HeaderRequestID is the header by which a request is named. A caller may set it, the server makes one up otherwise, and
// every answer carries it. Events recorded while serving the request have it as extra["request-id"].
const HeaderRequestID = "X-Request-ID"

// Error is the body of every answer but those of status 200.
type Error struct {
	Error  any `json:"error"`  // a string that says what is wrong, but for deleting all networks, where it is an object
	Status int `json:"status"` // the HTTP status again
}
