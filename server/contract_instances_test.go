package server

import (
	"encoding/json"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
)

func (l *lab) instanceRows() {
	l.t.Helper()
	const all, web1 = "/instances", "/instances/web1"
	l.golden("instance-list-empty", http.MethodGet, all, "demo", fields{"all": true})
	l.makeNetwork("demo", "lan")
	made := decode200[api.Instance](l, l.goldenIntent("instance-create", http.MethodPost, all, fullInstance()))
	l.waitInstance(made.UUID, instance.Created)
	l.golden("instance-show", http.MethodGet, web1, "demo", fields{"namespace": "demo"})
	l.golden("instance-show-old-go", http.MethodGet, web1, "demo", nil, oldGo()...)
	l.golden("instance-list", http.MethodGet, all, "demo", fields{"all": false})
	l.golden("instance-interfaces", http.MethodGet, all+"/"+made.UUID+"/interfaces", "demo", nil)
	l.golden("instance-events", http.MethodGet, web1+"/events", "demo", fields{"event_type": "audit", "limit": "1"})
	l.wantEvents(web1+"/events", "demo")

	l.golden("instance-poweroff", http.MethodPost, web1+"/poweroff", "demo", nil)
	l.golden("instance-poweroff-again", http.MethodPost, web1+"/poweroff", "demo", nil)
	l.golden("instance-show-off", http.MethodGet, web1, "demo", nil)
	l.golden("instance-poweron", http.MethodPost, web1+"/poweron", "demo", nil)

	l.golden("instance-console", http.MethodGet, web1+"/consoledata", "demo", fields{"length": "-1"})
	l.golden("instance-console-end", http.MethodGet, web1+"/consoledata?length=4", "demo", nil)
	l.refuse(400, "length is not an integer", http.MethodGet, web1+"/consoledata", "demo", fields{"length": "x"})
	l.refuse(400, "length", http.MethodGet, web1+"/consoledata", "demo", fields{"length": -2})

	l.refuse(404, "instance not found in namespace", http.MethodDelete, web1, "demo", fields{"namespace": "other"})
	l.goldenIntent("instance-delete", http.MethodDelete, web1, fields{"namespace": nil})
	l.waitInstance(made.UUID, instance.Deleted)
	l.golden("instance-show-deleted", http.MethodGet, all+"/"+made.UUID, "demo", nil)
	l.golden("instance-list-empty", http.MethodGet, all, "demo", nil)
	l.golden("instance-list-all", http.MethodGet, all+"?all=true", "demo", nil)
	l.refuse(404, "instance not found", http.MethodGet, web1, "demo", nil)
	l.refuse(404, "instance not found: it is deleted already", http.MethodDelete, all+"/"+made.UUID, "demo", nil)
	for _, power := range []string{"/poweron", "/poweroff"} { // clients repeat for an hour what is answered with 406
		l.refuse(409, "instance "+made.UUID+" is not ready (deleted)", http.MethodPost, all+"/"+made.UUID+power, "demo", nil)
	}
	l.instancesThatAreNotReady()
}

// fullInstance asks for an instance web1 with all that there is.
func fullInstance() fields {
	return fields{
		"name": "web1", "cpus": 2, "memory": "256", "ssh_key": "ssh-ed25519 AAAA", "user_data": "I2Nsb3VkLWNvbmZpZw==",
		"disk":    []any{fields{"size": "2", "base": "", "bus": nil, "type": ""}, fields{"size": 1, "bus": "sata"}},
		"network": []any{fields{"network_uuid": "lan", "address": "10.0.0.3"}},
		"video":   fields{"model": "vga", "memory": "8192", "vdi": "vnc"}, "namespace": nil, "uefi": false,
		"secure_boot": false, "nvram_template": nil, "configdrive": nil, "side_channels": []any{},
		"metadata": fields{"tags": []any{"web"}, "n": 3},
	}
}

// instancesThatAreNotReady are built, or have a name that is not theirs alone.
func (l *lab) instancesThatAreNotReady() {
	l.t.Helper()
	const all = "/instances"
	l.loops.Lock()
	net := get[api.Network](l, http.MethodPost, "/networks", "demo", fields{"name": "slow", "netblock": "10.0.0.0/24"})
	l.refuse(406, "network "+net.UUID+" is not ready (initial)", http.MethodPost, all, "demo", blankInstance(fields{"network_uuid": "slow"}))
	nowhere := blankInstance(fields{"network_uuid": "slow"})
	nowhere["placed_on"] = "nowhere"
	l.refuse(404, "Specified node does not exist", http.MethodPost, all, "demo", nowhere)
	vm := get[api.Instance](l, http.MethodPost, all, "demo", blankInstance())
	for _, power := range []string{"/poweron", "/poweroff"} {
		l.refuse(406, "instance "+vm.UUID+" is not ready (initial)", http.MethodPost, all+"/web1"+power, "demo", nil)
	}
	l.loops.Unlock()
	l.waitNetwork(net.UUID, network.Created)
	l.waitInstance(vm.UUID, instance.Created)
	l.makeInstance("demo")
	l.refuse(400, `multiple instances have the name "web1" in namespace "demo"`, http.MethodGet, all+"/web1", "demo", nil)
}

// decode200 decodes a golden body.
func decode200[T any](l *lab, a answer) T {
	l.t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		l.t.Fatal(err)
	}
	return v
}
