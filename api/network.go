package api

// Network is the view of a network.
type Network struct {
	UUID            string  `json:"uuid"`
	Name            string  `json:"name"`
	Namespace       string  `json:"namespace"`
	Netblock        string  `json:"netblock"` // IPv4 CIDR without host bits
	ProvideDHCP     bool    `json:"provide_dhcp"`
	ProvideNAT      bool    `json:"provide_nat"`
	ProvideDNS      bool    `json:"provide_dns"`
	FloatingGateway *string `json:"floating_gateway"` // the address NAT uses; null until it is up
	VXLANID         int     `json:"vxlan_id"`         // 24 bits
	VXID            int     `json:"vxid"`             // VXLANID again, under the name older clients know
	State           string  `json:"state"`            // initial, created, delete-wait, deleted, error
	Metadata        Object  `json:"metadata"`
	Version         int     `json:"version"` // NetworkVersion
}

// Interface is the view of an instance's network interface.
type Interface struct {
	UUID         string  `json:"uuid"`
	NetworkUUID  string  `json:"network_uuid"`
	InstanceUUID string  `json:"instance_uuid"`
	MAC          string  `json:"macaddr"`
	IPv4         *string `json:"ipv4"`     // null for an interface without address
	Order        int     `json:"order"`    // from 0
	Model        string  `json:"model"`    // virtio, e1000, …
	Floating     *string `json:"floating"` // null unless floated
	State        string  `json:"state"`    // initial, created, deleted, error
	Metadata     Object  `json:"metadata"`
	Version      int     `json:"version"` // InterfaceVersion
}

// Reservation is one address of a network that is not free.
type Reservation struct {
	Address string       `json:"address"`
	Type    string       `json:"type"` // network, broadcast, gateway, instance, floating, routed, deletion-halo, unknown
	User    List[string] `json:"user"` // kind and UUID of the object that has it; empty if none
	When    Time         `json:"when"`
	Comment string       `json:"comment"`
}

// CreateNetwork is the body of POST /networks.
type CreateNetwork struct {
	Netblock    string  `json:"netblock"`     // IPv4 CIDR, /29 or larger, without host bits
	ProvideDHCP *bool   `json:"provide_dhcp"` // null: true
	ProvideNAT  *bool   `json:"provide_nat"`  // null: true
	ProvideDNS  *bool   `json:"provide_dns"`  // null: false
	Name        *string `json:"name"`
	Namespace   *string `json:"namespace"` // null: the caller's
}
