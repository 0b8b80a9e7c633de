package api

// Lock is something that a process holds or works on: a value of the answer to GET /admin/locks.
type Lock struct {
	Node      string `json:"node"`
	PID       int    `json:"pid"`       // of the daemon on that node
	Operation string `json:"operation"` // what is being done
}

// Resources is the answer to GET /admin/resources.
type Resources struct {
	Total   TotalResources           `json:"total"`
	PerNode map[string]NodeResources `json:"per_node"` // by name; nodes that can take instances
}

// TotalResources are the sums over all nodes.
type TotalResources struct {
	CPUAvailable int `json:"cpu_available"` // vCPUs that can still be promised
	RAMAvailable int `json:"ram_available"` // MiB that can still be promised
}

// NodeResources are what one node has and can still give.
type NodeResources struct {
	CPUMaxPerInstance int   `json:"cpu_max_per_instance"`
	CPUAvailable      int   `json:"cpu_available"`
	CPULoad1          Float `json:"cpu_load_1"`
	CPULoad5          Float `json:"cpu_load_5"`
	CPULoad15         Float `json:"cpu_load_15"`
	RAMMaxPerInstance int   `json:"ram_max_per_instance"` // MiB
	RAMMax            int   `json:"ram_max"`              // MiB
	RAMAvailable      int   `json:"ram_available"`        // MiB
	DiskAvailable     int   `json:"disk_available"`       // GiB
	InstancesTotal    int   `json:"instances_total"`
	InstancesActive   int   `json:"instances_active"`
}

// DryRun is the answer to POST /instances?dry_run=true: where the instance would go, and why nowhere else.
type DryRun struct {
	Node     *string       `json:"node"` // null if no node can take it
	Verdicts List[Verdict] `json:"verdicts"`
}

// Verdict says of one node whether it can take an instance.
type Verdict struct {
	Node   string `json:"node"`
	Fits   bool   `json:"fits"`
	Reason string `json:"reason"` // with numbers: "needs 2048 MiB, 1500 MiB free of …", or of a node that fits what is free
}
