package contract

// Word is a capability word: clients look for it in the root page.
type Word struct {
	Name  string
	Issue int // as in Route; -1: never, since promising it would lead clients astray
}

// Done reports whether the word must stand there today.
func (w Word) Done() bool { return w.Issue == 0 }

// Words returns the capability words that clients know.
func Words() []Word {
	return []Word{
		{"agentoperations-crud", 7},
		{"artifact-metadata", 0},
		{"artifact-upload-types", 0},
		// Clients then ask for 512 MiB at a time without ever moving on, so that larger blobs never end.
		{"blob-data-limit", -1},
		{"blob-hash-sha1", 0},
		{"blob-hash-sha256", 0},
		{"blob-hash-xxh128", 0},
		{"blob-metadata", 0},
		{"blob-search-by-hash", 0},
		{"cluster-cacert", 0},
		{"cluster-resources", 0},
		{"events-by-type", 0},
		{"extra-dns-entries", 5},
		{"get-instance-namespace", 0},
		{"get-network-namespace", 0},
		{"hot-plug-interface", 5},
		{"instance-agentoperations", 7},
		{"instance-agentoperations-all", 7},
		{"instance-execute", 7},
		{"instance-get", 7},
		{"instance-put-blob", 7},
		{"instance-screenshot", 6},
		{"interface-metadata", 0},
		{"list-addresses", 0},
		{"node-get", 0},
		{"node-metadata", 0},
		{"node-process-metrics", 0},
		{"provide-dns", 0},
		{"pure-affinity", 0},
		{"route-addresses", 5},
		{"spice-vdi-console", 6},
		{"vdi-console-helper", 6},
	}
}
