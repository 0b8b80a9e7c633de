package api

// Node is the view of a node.
type Node struct {
	UUID                string `json:"uuid"` // the name again
	Name                string `json:"name"`
	IP                  string `json:"ip"`
	State               string `json:"state"`    // created, stopping, stopped, missing, error, deleted
	LastSeen            Time   `json:"lastseen"` // 0 if never
	Release             string `json:"release"`
	Version             int    `json:"version"` // NodeVersion
	Metadata            Object `json:"metadata"`
	IsEtcdMaster        bool   `json:"is_etcd_master"`
	IsHypervisor        bool   `json:"is_hypervisor"`
	IsNetworkNode       bool   `json:"is_network_node"`
	IsEventLogNode      bool   `json:"is_eventlog_node"`
	IsClusterMaintainer bool   `json:"is_cluster_maintainer"`
}

// Event is something that happened to an object. All keys are always present.
type Event struct {
	Type      string `json:"type"` // audit, mutate, status, usage, resources, prune, historic
	Timestamp Time   `json:"timestamp"`
	FQDN      string `json:"fqdn"`     // the node it happened on
	Duration  *Float `json:"duration"` // seconds
	Message   string `json:"message"`
	Extra     Object `json:"extra"`
}

// EventQuery is the body of GET …/events. Events are newest first.
type EventQuery struct {
	Type  string `json:"event_type,omitempty"` // absent: all
	Limit int    `json:"limit,omitempty"`      // absent: 100; negative: all
}

// ListQuery is the body of GET /instances and GET /networks.
type ListQuery struct {
	All bool `json:"all"` // deleted ones too
}

// NodeQuery is the body of GET /artifacts and GET /blobs.
type NodeQuery struct {
	Node *string `json:"node"` // only what is on this node; null: everything
}
