package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
)

// createRows are what POST /instances refuses, of which nothing must be left.
func (l *lab) createRows() {
	l.t.Helper()
	l.makeNetwork("demo", "lan")
	l.makeNetwork("demo", "twin")
	l.makeNetwork("demo", "twin")
	l.makeNetwork("other", "theirs")
	l.golden("instance-dry-run", http.MethodPost, "/instances?dry_run=true", "demo", blankInstance(fields{"network_uuid": "lan"}))
	for _, c := range append(wrongMachines(), wrongParts()...) {
		body := blankInstance()
		body[c.field] = c.value
		l.refuse(c.status, c.words, http.MethodPost, "/instances", "demo", body)
	}
	if list := get[[]api.Instance](l, http.MethodGet, "/instances?all=1", "system", nil); len(list) != 0 {
		l.t.Errorf("%d instances were left by requests that failed", len(list))
	}
	l.instanceThatFails()
}

// wrongInstance is a request of which one argument is wrong.
type wrongInstance struct {
	field  string
	value  any
	status int
	words  string
}

func wrongMachines() []wrongInstance {
	return []wrongInstance{
		{"name", nil, 400, "name"},
		{"name", "a.b", 400, "name"},
		{"cpus", nil, 400, "cpus"},
		{"cpus", -1, 400, "cpus"},
		{"memory", "much", 400, "memory is not an integer"},
		{"memory", 0, 400, "memory"},
		{"memory", 1 << 29, 507, "MiB"},
		{"namespace", "other", 404, "namespace not found"},
		{"namespace", "nowhere", 404, "namespace not found"},
		{"placed_on", "nowhere", 404, "Specified node does not exist"},
		{"secure_boot", true, 400, "uefi"},
		{"nvram_template", "label:x", 400, "nvram_template requires uefi"},
		{"configdrive", "floppy", 400, "configdrive"},
		{"user_data", "###", 400, "user_data"},
		{"metadata", []any{1}, 400, "metadata is not an object"},
		{"metadata", "tags", 400, "metadata is not an object"},
		{"metadata", fields{"tags": "web"}, 400, `value for "tags" key should be a JSON list`},
		{"metadata", fields{"affinity": []any{1}}, 400, "affinity"},
		{"metadata", fields{"affinity": fields{"web": "much"}}, 400, "affinity"},
		{"metadata", json.RawMessage(`{"n": 1e400}`), 400, `metadata key "n"`},
		{"metadata", fields{"n": 0}, 400, "no value specified"},
		{"side_channels", []any{1}, 400, "side_channels 0 is not a string"},
		{"colour", "red", 400, "colour"},
	}
}

func wrongParts() []wrongInstance {
	on := func(spec fields) []any { return []any{spec} }
	return []wrongInstance{
		{"disk", nil, 400, "instance must specify at least one disk"},
		{"disk", []any{}, 400, "instance must specify at least one disk"},
		{"disk", []any{"8"}, 400, "disk 0 is not an object"},
		{"disk", on(fields{"size": 1, "bus": "floppy"}), 400, "invalid disk bus floppy"},
		{"disk", []any{fields{"size": 1}, fields{"size": "big"}}, 400, "disk 1: size is not an integer"},
		{"disk", on(fields{"size": 1, "colour": 1}), 400, "colour"},
		{"disk", on(fields{"base": "label:x"}), 404, `"label:x" not found`},
		{"disk", on(fields{"base": "sf://blob/" + nothing}), 404, "not found"},
		{"video", fields{"memory": 1}, 400, `video specification requires "model"`},
		{"video", fields{"model": "vga"}, 400, `video specification requires "memory"`},
		{"video", fields{"model": "voodoo", "memory": 1}, 400, "video"},
		{"network", []any{"lan"}, 400, "network 0 is not an object"},
		{"network", on(fields{"float": false}), 400, "network_uuid"},
		{"network", on(fields{"network_uuid": "nowhere"}), 404, "network not found"},
		{"network", on(fields{"network_uuid": "theirs"}), 404, "network not found"},
		{"network", on(fields{"network_uuid": "twin"}), 400, `multiple networks have the name "twin"`},
		{"network", on(fields{"network_uuid": "lan", "address": "10.1.0.1"}), 400, "address"},
		{"network", on(fields{"network_uuid": "lan", "address": "10.0.0.1"}), 409, "10.0.0.1"},
		{"network", on(fields{"network_uuid": "lan", "address": 7}), 400, "address is not a string"},
		{"network", on(fields{"network_uuid": "lan", "float": true}), 400, "float"},
		{"network", on(fields{"network_uuid": "lan", "model": "ne1000"}), 400, "model"},
		{"network", on(fields{"network_uuid": "lan", "macaddress": "not a MAC"}), 400, "macaddress"},
	}
}

// instanceThatFails is built, and can't be.
func (l *lab) instanceThatFails() {
	l.t.Helper()
	l.guests.FailNext("MakeDisk", fault.New("test", fault.Invalid, "", "the disk is cursed"))
	vm := get[api.Instance](l, http.MethodPost, "/instances", "demo", blankInstance())
	l.waitInstance(vm.UUID, instance.Error)
	got := get[api.Instance](l, http.MethodGet, "/instances/web1", "demo", nil)
	if got.State != "error" || got.ErrorMessage == nil || !strings.Contains(*got.ErrorMessage, "the disk is cursed") {
		l.t.Errorf("state %s, error %v", got.State, got.ErrorMessage)
	}
	l.refuse(409, "is not ready (error)", http.MethodPost, "/instances/web1/poweroff", "demo", nil)
}
