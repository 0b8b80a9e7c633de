package contract

// shapes are the bodies by name: their keys with the type of each. A type is one of
//
//	string int float bool   a scalar; an int has no decimals, a float always has some
//	object any              any object; anything at all
//	<name>                  a body of that name
//	[T] {T}                 a list of T; an object whose keys are data and whose values are T
//
// with "?" behind it if it may be null, and "~" if the key may be absent.
func shapes() map[string]string {
	return map[string]string{
		"instance": `uuid:string, name:string, namespace:string, version:int, state:string, power_state:string,
			error_message:string?, metadata:object, ` + instanceRest,
		"old instance": `uuid:string, name:string, namespace:string, version:int, state:string, power_state:string,
			error_message:string?, metadata:string, ` + instanceRest,
		"disk spec": `base:string?, blob_uuid:string~, bus:string?, size:int?, type:string?, disk_base:any?~`,
		"disk":      `device:string, bus:string, size:int?, blob_uuid:string?, snapshot_ignores:bool`,
		"video":     `model:string, memory:int, vdi:string`,
		"interface": `uuid:string, network_uuid:string, instance_uuid:string, macaddr:string, ipv4:string?, order:int, model:string,
			floating:string?, state:string, metadata:object, version:int`,
		"network": `uuid:string, name:string, namespace:string, netblock:string, provide_dhcp:bool, provide_nat:bool, provide_dns:bool,
			floating_gateway:string?, vxlan_id:int, vxid:int, state:string, metadata:object, version:int`,
		"reservation": `address:string, type:string, user:[string], when:float, comment:string`,
		"node": `uuid:string, name:string, ip:string, state:string, lastseen:float, release:string, version:int, metadata:object,
			is_etcd_master:bool, is_hypervisor:bool, is_network_node:bool, is_eventlog_node:bool, is_cluster_maintainer:bool`,
		"namespace": `name:string, state:string, keys:[string], trust:trust, metadata:object, version:int`,
		"trust":     `full:[string]`,
		"token":     `access_token:string, token_type:string, expires_in:int`,
		"artifact": `uuid:string, artifact_type:string, source_url:string, namespace:string, shared:bool, max_versions:int, index:int,
			blob_uuid:string~, blobs:{artifact blob}, state:string, metadata:object, version:int`,
		"upload":        `uuid:string, node:string, created_at:float, state:string, metadata:object, version:int`,
		"artifact blob": `uuid:string, size:int, reference_count:int, depends_on:string?, instances:[string]`,
		"blob":          blobKeys,
		"used blob":     blobKeys + `, instances:[string]`,
		"version":       blobKeys + `, instances:[string], index:int`,
		"taken":         `source_url:string, artifact_uuid:string, blob_uuid:string`,
		"snapshot": blobKeys + `, instances:[string], blob_uuid:string, artifact_type:string, source_url:string, namespace:string,
			shared:bool, max_versions:int, device:string, created:int, error_message:string`,
		"event":           `type:string, timestamp:float, fqdn:string, duration:float?, message:string, extra:object?`,
		"lock":            `node:string, pid:int, operation:string`,
		"resources":       `total:total resources, per_node:{node resources}`,
		"total resources": `cpu_available:int, ram_available:int`,
		"node resources": `cpu_max_per_instance:int, cpu_available:int, cpu_load_1:float, cpu_load_5:float, cpu_load_15:float,
			ram_max_per_instance:int, ram_max:int, ram_available:int, disk_available:int, instances_total:int, instances_active:int`,
		"dry run": `node:string?, verdicts:[verdict]`,
		"verdict": `node:string, fits:bool, reason:string`,
		"status":  `status:string`,
	}
}

const (
	instanceRest = `node:string?, requested_placement:string~, cpus:int, memory:int, disk_spec:[disk spec], disks:[disk],
		interfaces:[interface], video:video, uefi:bool, secure_boot:bool, nvram_template:string?, machine_type:string,
		configdrive:string, side_channels:[string], ssh_key:string?, user_data:string?, agent_state:string,
		agent_start_time:float?, agent_system_boot_time:float?, console_port:int?, vdi_port:int?, vdi_tls_port:int?`
	blobKeys = `uuid:string, state:string, size:int, modified:float, fetched_at:float, last_used:float?, depends_on:string?,
		transcodes:{string}, locations:[string], damaged:[string], reference_count:int, sha512:string?, sha256:string?, sha1:string?,
		xxh128:string?, metadata:object, version:int,
		mime-type:string~, file format:string~, virtual size:float~, cluster_size:float~, disk size:string~, compat:float~,
		compression type:string~, extended l2:string~`
)

// versions are the schema versions that bodies carry.
func versions() map[string]int {
	return map[string]int{
		"instance": 14, "old instance": 14, "network": 6, "interface": 3, "node": 7, "artifact": 6, "blob": 6, "used blob": 6, "version": 6, "snapshot": 6,
		"namespace": 5, "upload": 3,
	}
}
