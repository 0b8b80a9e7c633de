package contract

import "slices"

// Commands returns every row of the command line.
func Commands() []Command {
	return slices.Concat(adminCommands(), artifactCommands(), blobCommands(), instanceCommands(), laterInstanceCommands(),
		interfaceCommands(), namespaceCommands(), networkCommands(), nodeCommands())
}

// Options that several rows share.

func eventOptions() []string     { return []string{"-t", "--type", "-l", "--limit"} }
func namespaceOption() []string  { return []string{"--namespace"} }
func deleteAllOptions() []string { return []string{"--confirm", "--namespace"} }
func sharedOptions() []string    { return []string{"--not-shared", "--shared", "--namespace"} }

func adminCommands() []Command {
	return []Command{
		{Name: "version", Script: "script/globals.txtar"},
		{
			Name: "admin lock list", Script: "script/admin.txtar",
			Columns: "lock,pid,node,operation",
		},
		{Name: "ansible namespace", Args: "FILE", Script: "script/ansible.txtar"},
		{Name: "ansible network", Args: "FILE", Script: "script/ansible.txtar"},
		{Name: "ansible instance", Args: "FILE", Script: "script/ansible.txtar"},
		{Name: "backup create", Args: "DEST", Script: "script/backup.txtar"},
	}
}

func artifactCommands() []Command {
	const script = "script/artifact.txtar"
	return []Command{
		{Name: "artifact cache", Args: "URL", Options: sharedOptions(), Script: script},
		{Name: "artifact upload", Args: "NAME FILE", Options: append(sharedOptions(), "--source_url"), Script: "script/upload.txtar"},
		{Name: "artifact download", Args: "REF DEST", Script: "script/download.txtar"},
		{
			Name: "artifact list", Script: script,
			Columns: "uuid,namespace,type,source url,versions,state,shared",
		},
		{
			Name: "artifact show", Args: "REF", Script: script,
			Labels: "uuid,namespace,type,state,source url,current version blob uuid,number of versions,maximum versions,shared",
			Keys:   "uuid,namespace,artifact_type,state,source_url,blob_uuid,index,blobs,max_versions,shared,metadata",
		},
		{Name: "artifact versions", Args: "REF", Script: script},
		{Name: "artifact delete", Args: "REF", Script: script},
		{Name: "artifact delete-version", Args: "REF N", Script: "script/versions.txtar"},
		{Name: "artifact max-versions", Args: "REF N", Script: "script/versions.txtar"},
		{Name: "artifact share", Args: "REF", Script: "script/versions.txtar"},
		{Name: "artifact unshare", Args: "REF", Script: "script/versions.txtar"},
		{
			Name: "artifact events", Args: "REF", Options: eventOptions(), Script: script,
			Columns: "timestamp,node,duration,message,extra",
		},
		{Name: "artifact set-metadata", Args: "REF KEY VALUE", Script: script},
		{Name: "artifact delete-metadata", Args: "REF KEY", Script: script},
		{Name: "label update", Args: "NAME BLOB", Script: "script/label.txtar"},
	}
}

func blobCommands() []Command {
	const script = "script/blob.txtar"
	return []Command{
		{
			Name: "blob list", Options: []string{"--audit", "--no-audit"}, Script: script,
			Columns: "uuid,state,size,virtual size,file format,mime type,modified,fetched at,locations,reference count,instances",
		},
		{
			Name: "blob show", Args: "UUID", Script: script,
			Labels: "uuid,state,actual size,virtual size,sha512,format,fetched at,last used,reference count,locations",
		},
		{Name: "blob sha512", Args: "HASH", Script: "script/upload.txtar"},
		{Name: "blob set-metadata", Args: "UUID KEY VALUE", Script: script},
		{Name: "blob delete-metadata", Args: "UUID KEY", Script: script},
	}
}

func instanceCommands() []Command {
	const script = "script/instance.txtar"
	return []Command{
		{
			Name: "instance list", Options: []string{"-a", "--all"}, Script: script,
			Columns: "uuid,name,namespace,cpus,memory,hypervisor,power state,state,interfaces",
			Keys:    "instances",
		},
		{
			Name: "instance show", Args: "REF", Options: []string{"-s", "--snapshots"}, Script: script,
			Labels: "uuid,name,namespace,cpus,memory",
			Keys: "uuid,name,namespace,cpus,memory,disk_spec,video,node,console_port,vdi_port,vdi_tls_port,ssh_key,user_data,power_state,state," +
				"uefi,secure_boot,nvram_template,side_channels,agent_state,network_interfaces,metadata",
		},
		{
			Name: "instance create", Args: "NAME CPUS MEMORY", Script: script,
			Options: []string{
				"-n", "--network", "-f", "--floated", "-N", "--networkspec", "-d", "--disk", "-D", "--diskspec", "-i", "--sshkey", "-I", "--sshkeydata",
				"-u", "--userdata", "-U", "--encodeduserdata", "-p", "--placement", "-V", "--videospec", "--configdrive", "--namespace",
				"--bios", "--uefi", "--no-secure-boot", "--secure-boot", "--nvram-template", "--force", "-m", "--metadata", "-s", "--side-channel",
			},
		},
		{Name: "instance delete", Args: "REF", Options: namespaceOption(), Script: script},
		{Name: "instance delete-all", Options: deleteAllOptions(), Script: script},
		{
			Name: "instance events", Args: "REF", Options: eventOptions(), Script: script,
			Columns: "timestamp,node,duration,message,extra",
		},
		{Name: "instance set-metadata", Args: "REF KEY VALUE", Script: script},
		{Name: "instance delete-metadata", Args: "REF KEY", Script: script},
		{Name: "instance poweron", Args: "REF", Script: script},
		{Name: "instance poweroff", Args: "REF", Script: script},
		{Name: "instance consoledata", Args: "REF [LENGTH]", Script: script},
		{
			Name: "instance snapshot", Args: "REF", Script: "script/snapshot.txtar",
			Options: []string{
				"-a", "--all", "-d", "--device", "-l", "--label_name", "--delete-snapshot-after-label", "--retain-snapshot-after-label",
				"--thin", "--flatten",
			},
		},
	}
}

func laterInstanceCommands() []Command {
	return []Command{
		{Name: "instance reboot", Args: "REF", Options: []string{"--hard", "--soft"}, Issue: 6},
		{Name: "instance pause", Args: "REF", Issue: 6},
		{Name: "instance unpause", Args: "REF", Issue: 6},
		{Name: "instance consoledelete", Args: "REF", Issue: 6},
		{Name: "instance vdiconsole", Args: "REF", Issue: 6},
		{Name: "instance vdiconsolefile", Args: "REF", Issue: 6},
		{Name: "instance upload", Args: "REF SOURCE DEST", Issue: 7},
		{Name: "instance execute", Args: "REF COMMAND", Issue: 7},
		{Name: "instance download", Args: "REF SOURCE DEST", Issue: 7},
		{Name: "instance screenshot", Args: "REF DEST", Issue: 6},
		{Name: "instance await", Args: "REF", Issue: 7},
		{Name: "instance add-interface", Args: "REF", Options: []string{"-n", "-f", "-N"}, Issue: 5},
	}
}

func interfaceCommands() []Command {
	const script = "script/interface.txtar"
	return []Command{
		{
			Name: "interface show", Args: "UUID", Script: script,
			Labels: "uuid,network,macaddr,order,ipv4,floating,model",
			Keys:   "network_interfaces",
		},
		{Name: "interface float", Args: "UUID", Issue: 5},
		{Name: "interface defloat", Args: "UUID", Issue: 5},
		{Name: "interface set-metadata", Args: "UUID KEY VALUE", Script: script},
		{Name: "interface delete-metadata", Args: "UUID KEY", Script: script},
	}
}

func namespaceCommands() []Command {
	const script = "script/namespace.txtar"
	return []Command{
		{
			Name: "namespace list", Script: script,
			Columns: "name,state,trusted namespaces", Simple: "name,state",
		},
		{
			Name: "namespace show", Args: "NAMESPACE", Script: script,
			Labels: "name,state",
			Keys:   "name,state,keys,trust,metadata",
		},
		{Name: "namespace create", Args: "NAMESPACE", Script: script},
		{Name: "namespace delete", Args: "NAMESPACE", Script: script},
		{Name: "namespace clean", Options: deleteAllOptions(), Script: script},
		{Name: "namespace add-key", Args: "NAMESPACE KEYNAME KEY", Script: script},
		{Name: "namespace update-key", Args: "NAMESPACE KEYNAME KEY", Script: script},
		{Name: "namespace delete-key", Args: "NAMESPACE KEYNAME", Script: script},
		{Name: "namespace get-metadata", Args: "NAMESPACE", Script: script},
		{Name: "namespace set-metadata", Args: "NAMESPACE KEY VALUE", Script: script},
		{Name: "namespace delete-metadata", Args: "NAMESPACE KEY", Script: script},
		{Name: "namespace add-trust", Args: "NAMESPACE OTHER", Script: script},
		{Name: "namespace remove-trust", Args: "NAMESPACE OTHER", Script: script},
	}
}

func networkCommands() []Command {
	const script = "script/network.txtar"
	return []Command{
		{
			Name: "network list", Options: []string{"-a", "--all"}, Script: script,
			Columns: "uuid,name,namespace,netblock,state", Simple: "uuid,name,namespace,netblock",
		},
		{
			Name: "network show", Args: "REF", Script: script,
			Labels: "uuid,name,vxlan id,netblock,provide dhcp,provide nat,provide DNS,floating gateway,namespace,state",
		},
		{
			Name: "network create", Args: "NAME NETBLOCK", Script: script,
			Options: []string{"--dhcp", "--no-dhcp", "--nat", "--no-nat", "--dns", "--no-dns", "--namespace"},
		},
		{Name: "network delete", Args: "REF", Options: namespaceOption(), Script: script},
		{Name: "network delete-all", Options: deleteAllOptions(), Script: script},
		{
			Name: "network instances", Args: "REF", Script: script,
			Columns: "instance_uuid,ipv4,floating",
		},
		{Name: "network ping", Args: "REF ADDRESS", Issue: 5},
		{
			Name: "network addresses", Args: "REF", Script: script,
			Columns: "address,type,user,comment",
		},
		{Name: "network add-routed", Args: "REF", Issue: 5},
		{Name: "network delete-routed", Args: "REF ADDRESS", Issue: 5},
		{
			Name: "network events", Args: "REF", Options: eventOptions(), Script: script,
			Columns: "timestamp,node,duration,message,extra",
		},
		{Name: "network set-metadata", Args: "REF KEY VALUE", Script: script},
		{Name: "network delete-metadata", Args: "REF KEY", Script: script},
	}
}

func nodeCommands() []Command {
	const script = "script/node.txtar"
	return []Command{
		{
			Name: "node list", Script: script,
			Columns: "name,ip,lastseen,state,roles,release", Simple: "name,ip,lastseen,state,roles,version",
		},
		{
			Name: "node show", Args: "NODE", Script: script,
			Labels: "name,ip,state,last seen,version,release,etcd master,hypervisor,network node,event log node,cluster maintainer",
		},
		{Name: "node delete", Args: "NODE", Script: "script/node-delete.txtar"},
		{
			Name: "node events", Args: "NODE", Options: eventOptions(), Script: script,
			Columns: "timestamp,node,duration,message,extra",
		},
		{Name: "node resources", Args: "NODE", Script: script, Columns: "node,resource,value"},
		{Name: "node cpuhogs", Options: []string{"-t", "--threshold", "-i", "--ignore"}, Script: script},
	}
}
