package contract

func instanceRoutes() []Route {
	return append([]Route{
		{Method: "GET", Path: "/instances", Who: Any, Body: "[instance] or [old instance]", Golden: []string{"instance-list", "instance-list-empty", "instance-list-all"}},
		{Method: "POST", Path: "/instances", Who: Any, Body: "instance or old instance or dry run", Golden: []string{"instance-create", "instance-dry-run"}, Refusals: createRefusals()},
		{
			Method: "DELETE", Path: "/instances", Who: Any, Body: "[string]", Golden: []string{"instance-delete-all"},
			Refusals: []Refusal{{400, unconfirmed}, {400, whose}, {401, notMine}},
		},
		{
			Method: "GET", Path: "/instances/{ref}", Who: Owner, Body: "instance or old instance",
			Golden:   []string{"instance-show", "instance-show-off", "instance-show-deleted", "instance-show-old-go"},
			Refusals: []Refusal{{400, ambiguous}, {404, "instance not found"}},
		},
		{
			Method: "DELETE", Path: "/instances/{ref}", Who: Owner, Body: "instance or old instance", Golden: []string{"instance-delete"},
			Refusals: []Refusal{{404, "instance not found: it is deleted already"}, {404, "instance not found in namespace"}},
		},
		{Method: "GET", Path: "/instances/{ref}/events", Who: Owner, Body: "[event]", Golden: []string{"instance-events"}, Refusals: []Refusal{{400, badEventType}}},
		{Method: "GET", Path: "/instances/{ref}/interfaces", Who: Owner, Body: "[interface]", Golden: []string{"instance-interfaces"}},
		{
			Method: "POST", Path: "/instances/{ref}/poweron", Who: Owner, Body: "null", Golden: []string{"instance-poweron"},
			Refusals: []Refusal{{406, notReady}, {409, notReady}},
		},
		{
			Method: "POST", Path: "/instances/{ref}/poweroff", Who: Owner, Body: "null", Golden: []string{"instance-poweroff", "instance-poweroff-again"},
			Refusals: []Refusal{{406, notReady}, {409, notReady}},
		},
		{
			Method: "GET", Path: "/instances/{ref}/consoledata", Who: Owner, Body: "media application/octet-stream", Golden: []string{"instance-console", "instance-console-end"},
			Refusals: []Refusal{{400, "length is not an integer"}},
		},
		{
			Method: "POST", Path: "/instances/{ref}/snapshot", Who: Owner, Body: "{taken}", Golden: []string{"snapshot-take", "snapshot-take-nothing"},
			Refusals: []Refusal{{400, "max_versions"}, {400, "thin and flatten"}, {406, notReady}, {409, notReady}},
		},
		{
			Method: "GET", Path: "/instances/{ref}/snapshot", Who: Owner, Body: "[snapshot]",
			Golden: []string{"snapshot-list-empty", "snapshot-list-initial", "snapshot-list", "snapshot-list-error"},
		},
	}, laterInstanceRoutes()...)
}

// createRefusals are those of POST /instances, in the order in which the arguments are looked at.
func createRefusals() []Refusal {
	return []Refusal{
		{404, noNamespace},
		{400, "name"},
		{400, "cpus"},
		{400, "memory"},
		{400, "uefi"},
		{404, "Specified node does not exist"},
		{400, "configdrive"},
		{400, "instance must specify at least one disk"},
		{400, "is not an object"},
		{400, "invalid disk bus"},
		{400, "network_uuid"},
		{404, "network not found"},
		{400, ambiguous},
		{406, "is not ready ("},
		{400, "address"},
		{409, "10.0.0."},
		{400, `video specification requires "model"`},
		{400, `video specification requires "memory"`},
		{400, "metadata is not an object"},
		{400, "no value specified"},
		{400, `value for "tags" key should be a JSON list`},
		{400, "affinity"},
		{507, "MiB"},
	}
}

func laterInstanceRoutes() []Route {
	noAgent := Refusal{400, "instance agent not ready"}
	return []Route{
		{Method: "POST", Path: "/instances/{ref}/interfaces", Who: Owner, Issue: 5, Refusals: []Refusal{{400, ""}, {404, ""}, {406, ""}, {409, ""}, {507, ""}}},
		{Method: "GET", Path: "/instances/{ref}/agentoperations", Who: Owner, Issue: 7},
		{Method: "POST", Path: "/instances/{ref}/rebootsoft", Who: Owner, Issue: 6, Refusals: []Refusal{{406, notReady}, {409, ""}}},
		{Method: "POST", Path: "/instances/{ref}/reboothard", Who: Owner, Issue: 6, Refusals: []Refusal{{406, notReady}, {409, ""}}},
		{Method: "POST", Path: "/instances/{ref}/reboot", Who: Owner, Issue: 6, Refusals: []Refusal{{406, notReady}, {409, ""}}},
		{Method: "POST", Path: "/instances/{ref}/pause", Who: Owner, Issue: 6, Refusals: []Refusal{{406, notReady}, {409, ""}}},
		{Method: "POST", Path: "/instances/{ref}/unpause", Who: Owner, Issue: 6, Refusals: []Refusal{{406, notReady}, {409, ""}}},
		{Method: "DELETE", Path: "/instances/{ref}/consoledata", Who: Owner, Issue: 6},
		{Method: "GET", Path: "/instances/{ref}/vdiconsolehelper", Who: Owner, Issue: 6},
		{Method: "GET", Path: "/instances/{ref}/screenshot", Who: Owner, Issue: 6, Refusals: []Refusal{{406, notReady}}},
		{Method: "POST", Path: "/instances/{ref}/agent/put", Who: Owner, Issue: 7, Refusals: []Refusal{noAgent, {404, ""}}},
		{Method: "POST", Path: "/instances/{ref}/agent/get", Who: Owner, Issue: 7, Refusals: []Refusal{noAgent}},
		{Method: "POST", Path: "/instances/{ref}/agent/execute", Who: Owner, Issue: 7, Refusals: []Refusal{noAgent}},
	}
}
