package store

// Stats counts what a store was asked to do since it was opened, whether or not it succeeded.
type Stats struct {
	Gets          uint64 // calls of Get
	Lists         uint64 // calls of List
	Commits       uint64 // calls of Commit that passed Validate
	Conflicts     uint64 // commits refused because a check did not hold
	WatchEvents   uint64 // changes yielded by watches
	LeaseRenewals uint64 // renewals of leases; 0 for a store that needs none
}

// Counter is implemented by stores that count what they do.
type Counter interface {
	// Stats returns the present counts. It is cheap and waits for nothing.
	Stats() Stats
}
