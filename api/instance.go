package api

// Instance is the view of an instance.
type Instance struct {
	UUID               string          `json:"uuid"`
	Name               string          `json:"name"`
	Namespace          string          `json:"namespace"`
	Version            int             `json:"version"`       // InstanceVersion
	State              string          `json:"state"`         // initial, creating, created, delete-wait, deleted, error
	PowerState         string          `json:"power_state"`   // initial until the first start; then on, off, paused, crashed
	ErrorMessage       *string         `json:"error_message"` // why the state is error; null otherwise
	Metadata           Object          `json:"metadata"`
	Node               *string         `json:"node"`                          // where it is placed; null before that
	RequestedPlacement string          `json:"requested_placement,omitempty"` // absent unless asked for
	CPUs               int             `json:"cpus"`
	Memory             int             `json:"memory"`    // MiB
	DiskSpec           List[DiskSpec]  `json:"disk_spec"` // as asked for
	Disks              List[Disk]      `json:"disks"`     // as made; empty until then
	Interfaces         List[Interface] `json:"interfaces"`
	Video              Video           `json:"video"`
	UEFI               bool            `json:"uefi"`
	SecureBoot         bool            `json:"secure_boot"`
	NVRAMTemplate      *string         `json:"nvram_template"`
	MachineType        string          `json:"machine_type"` // pc or q35
	ConfigDrive        string          `json:"configdrive"`  // openstack-disk or none
	SideChannels       List[string]    `json:"side_channels"`
	SSHKey             *string         `json:"ssh_key"`
	UserData           *string         `json:"user_data"`   // base64
	AgentState         string          `json:"agent_state"` // starts with "ready" or "not ready"
	AgentStart         *Time           `json:"agent_start_time"`
	AgentSystemBoot    *Time           `json:"agent_system_boot_time"`
	ConsolePort        *int            `json:"console_port"` // null until allocated, like the next two
	VDIPort            *int            `json:"vdi_port"`
	VDITLSPort         *int            `json:"vdi_tls_port"` // spice only
}

// DiskSpec says which disk an instance shall have. All its keys are always present.
type DiskSpec struct {
	Base     *string `json:"base"`                // image URL, shorthand such as debian:12, label:NAME, sf://…; null: blank
	BlobUUID string  `json:"blob_uuid,omitempty"` // what base was resolved to; in views only
	Bus      *string `json:"bus"`                 // virtio, sata, scsi, usb, nvme, ide; null: virtio
	Size     *int    `json:"size"`                // GiB; null: the size of the base
	Type     *string `json:"type"`                // disk or cdrom; null: disk
	DiskBase *Null   `json:"disk_base,omitempty"` // present, and null, in views of a disk without base
}

// Disk is one block device of an instance. The config drive is one of them.
type Disk struct {
	Device          string  `json:"device"` // as the guest names it: vda, sdb, nvme0
	Bus             string  `json:"bus"`
	Size            *int    `json:"size"`             // GiB; null for the config drive
	BlobUUID        *string `json:"blob_uuid"`        // the blob it started from
	SnapshotIgnores bool    `json:"snapshot_ignores"` // snapshots leave it out
}

// Video is the video card of an instance.
type Video struct {
	Model  string `json:"model"`  // vga, cirrus, qxl, virtio
	Memory int    `json:"memory"` // KiB
	VDI    string `json:"vdi"`    // vnc, spice, spiceconcurrent
}

// CreateInstance is the body of POST /instances. Every key but placed_on is always sent; null means the default.
type CreateInstance struct {
	Name          string            `json:"name"`   // one DNS label: letters, digits, hyphens, at most 63
	CPUs          int               `json:"cpus"`   // at least 1
	Memory        int               `json:"memory"` // MiB
	Network       List[NetworkSpec] `json:"network"`
	Disk          List[DiskSpec]    `json:"disk"`           // at least one; the first is the root disk
	SSHKey        *string           `json:"ssh_key"`        // public key, for the config drive
	UserData      *string           `json:"user_data"`      // base64, for the config drive
	Namespace     *string           `json:"namespace"`      // null: the caller's
	Video         *Video            `json:"video"`          // null: cirrus, 16384 KiB, spice
	UEFI          bool              `json:"uefi"`           // false: BIOS
	SecureBoot    bool              `json:"secure_boot"`    // needs UEFI
	NVRAMTemplate *string           `json:"nvram_template"` // label:NAME, sf://blob/UUID or the UUID of a blob
	ConfigDrive   *string           `json:"configdrive"`    // openstack-disk or none; null: openstack-disk
	Metadata      Object            `json:"metadata"`
	SideChannels  []string          `json:"side_channels"` // null: sf-agent; an empty list: none
	PlacedOn      string            `json:"placed_on,omitempty"`
}

// NetworkSpec asks for one interface of an instance. Their order is that of the interfaces; the first has the default route.
type NetworkSpec struct {
	Network string `json:"network_uuid"`         // UUID or name
	Address string `json:"address,omitempty"`    // IPv4; absent: a free one; "none": no address
	MAC     string `json:"macaddress,omitempty"` // absent: made up
	Model   string `json:"model,omitempty"`      // virtio, e1000, rtl8139, …; absent: virtio
	Float   bool   `json:"float"`                // with a floating address
}

// ConsoleQuery is the body of GET /instances/{ref}/consoledata.
type ConsoleQuery struct {
	Length int `json:"length,omitempty"` // bytes from the end; 0: 10240, -1: all
}
