package contract

// The words of refusals that several rows share.
const (
	unconfirmed  = "parameter confirm is not set true"
	whose        = "system user must specify parameter namespace"
	notMine      = "unauthorized"
	ambiguous    = "multiple "
	badEventType = "event_type"
	noNamespace  = "namespace not found"
	noKey        = "no key specified"
	keyNotText   = "key is not a string"
	illegalKey   = "illegal key name"
	noSuchKey    = "key does not exist"
	notReady     = "is not ready ("
)

func adminRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/", Who: None, Body: "media text/html", Golden: []string{"root"}},
		{Method: "GET", Path: "/admin/locks", Who: Admin, Body: "{lock}", Golden: []string{"admin-locks"}},
		{Method: "GET", Path: "/admin/cacert", Who: Any, Body: "media text/plain", Golden: []string{"admin-cacert"}},
		{Method: "GET", Path: "/admin/resources", Who: Admin, Body: "resources", Golden: []string{"admin-resources"}},
	}
}

func authRoutes() []Route {
	return []Route{
		{
			Method: "POST", Path: "/auth", Who: None, Body: "token", Golden: []string{"auth"},
			Refusals: []Refusal{
				{400, "missing namespace in request"}, {400, "missing key in request"}, {400, keyNotText}, {401, "unauthorized"}, {404, noNamespace},
			},
		},
		{Method: "GET", Path: "/auth/namespaces", Who: Any, Body: "[namespace] or [string]", Golden: []string{"namespace-list", "namespace-list-old-go"}},
		{
			Method: "POST", Path: "/auth/namespaces", Who: Admin, Body: "namespace", Golden: []string{"namespace-create", "namespace-create-with-key"},
			Refusals: []Refusal{{400, "no namespace specified"}, {403, "namespace exists"}, {400, noKey}, {400, keyNotText}, {403, illegalKey}},
		},
		{Method: "GET", Path: "/auth/namespaces/{namespace}", Who: Trusted, Body: "namespace", Golden: []string{"namespace-show"}, Refusals: []Refusal{{404, noNamespace}}},
		{
			Method: "DELETE", Path: "/auth/namespaces/{namespace}", Who: Admin, Body: "null", Golden: []string{"namespace-delete"},
			Refusals: []Refusal{
				{403, "you cannot delete the system namespace"},
				{400, "you cannot delete a namespace with instances"},
				{400, "you cannot delete a namespace with networks"},
				{404, noNamespace},
			},
		},
		{Method: "GET", Path: "/auth/namespaces/{namespace}/keys", Who: Trusted, Body: "[string]", Golden: []string{"key-list"}},
		{
			Method: "POST", Path: "/auth/namespaces/{namespace}/keys", Who: Trusted, Body: "string", Golden: []string{"key-add", "key-add-again"},
			Refusals: []Refusal{{400, "no key name specified"}, {400, noKey}, {400, keyNotText}, {403, illegalKey}},
		},
		{
			Method: "PUT", Path: "/auth/namespaces/{namespace}/keys", Who: Trusted, Body: "string", Golden: []string{"key-update"},
			Refusals: []Refusal{{400, "no key name specified"}, {400, noKey}, {400, keyNotText}, {403, illegalKey}, {404, noSuchKey}},
		},
		{
			Method: "PUT", Path: "/auth/namespaces/{namespace}/keys/{key}", Who: Trusted, Body: "string", Golden: []string{"key-update-in-path"},
			Refusals: []Refusal{{400, noKey}, {400, keyNotText}, {403, illegalKey}, {404, noSuchKey}},
		},
		{
			Method: "DELETE", Path: "/auth/namespaces/{namespace}/keys/{key}", Who: Trusted, Body: "null", Golden: []string{"key-delete"},
			Refusals: []Refusal{{404, "key name not found in namespace"}},
		},
		{
			Method: "POST", Path: "/auth/namespaces/{namespace}/trust", Who: Trusted, Body: "namespace", Golden: []string{"trust-add", "trust-add-again"},
			Refusals: []Refusal{{400, "no external namespace specified"}},
		},
		{
			Method: "DELETE", Path: "/auth/namespaces/{namespace}/trust/{external}", Who: Trusted, Body: "namespace",
			Golden: []string{"trust-remove", "trust-remove-again", "trust-remove-system"},
		},
	}
}

func interfaceRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/interfaces/{uuid}", Who: Owner, Body: "interface", Golden: []string{"interface-show"}},
		{Method: "POST", Path: "/interfaces/{uuid}/float", Who: Owner, Issue: 5, Refusals: []Refusal{{507, ""}, {409, ""}}},
		{Method: "POST", Path: "/interfaces/{uuid}/defloat", Who: Owner, Issue: 5},
	}
}

func networkRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/networks", Who: Any, Body: "[network]", Golden: []string{"network-list-empty", "network-list", "network-list-all"}},
		{
			Method: "POST", Path: "/networks", Who: Any, Body: "network", Golden: []string{"network-create"},
			Refusals: []Refusal{{400, "netblock"}, {400, "cannot parse netblock: "}, {401, notMine}, {404, noNamespace}},
		},
		{
			Method: "DELETE", Path: "/networks", Who: Any, Body: "[string]", Golden: []string{"network-delete-all", "network-delete-all-waits"},
			Refusals: []Refusal{{400, unconfirmed}, {400, whose}, {401, notMine}, {403, `"unable":`}},
		},
		{
			Method: "GET", Path: "/networks/{ref}", Who: Owner, Body: "network", Golden: []string{"network-show", "network-show-deleted"},
			Refusals: []Refusal{{400, ambiguous}, {404, "network not found"}},
		},
		{
			Method: "DELETE", Path: "/networks/{ref}", Who: Owner, Body: "network or null",
			Golden:   []string{"network-delete", "network-delete-again", "network-delete-in-use"},
			Refusals: []Refusal{{403, "floating"}, {404, "network not found"}},
		},
		{
			Method: "GET", Path: "/networks/{ref}/addresses", Who: Owner, Body: "[reservation]",
			Golden: []string{"network-addresses", "network-addresses-used"},
		},
		{Method: "GET", Path: "/networks/{ref}/events", Who: Owner, Body: "[event]", Golden: []string{"network-events"}, Refusals: []Refusal{{400, badEventType}}},
		{
			Method: "GET", Path: "/networks/{ref}/interfaces", Who: Owner, Body: "[interface]",
			Golden: []string{"network-interfaces-empty", "network-interfaces"},
		},
		{Method: "GET", Path: "/networks/{ref}/ping/{address}", Who: Owner, Issue: 5, Refusals: []Refusal{{400, "invalid address"}, {406, notReady}}},
		{Method: "POST", Path: "/networks/{ref}/route", Who: Owner, Issue: 5, Refusals: []Refusal{{507, ""}, {406, notReady}}},
		{
			Method: "DELETE", Path: "/networks/{ref}/route/{address}", Who: Owner, Issue: 5,
			Refusals: []Refusal{{404, "address not routed"}, {403, "address not routed by this network"}},
		},
		{Method: "POST", Path: "/networks/{ref}/dns", Who: Owner, Issue: 5, Refusals: []Refusal{{400, ""}, {406, notReady}}},
		{Method: "DELETE", Path: "/networks/{ref}/dns", Who: Owner, Issue: 5, Refusals: []Refusal{{400, ""}, {406, notReady}}},
	}
}

func nodeRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/nodes", Who: Admin, Body: "[node]", Golden: []string{"node-list", "node-list-deleted"}},
		{Method: "GET", Path: "/nodes/{node}", Who: Admin, Body: "node", Golden: []string{"node-show"}, Refusals: []Refusal{{404, "node not found"}}},
		{Method: "DELETE", Path: "/nodes/{node}", Who: Admin, Body: "node", Golden: []string{"node-delete"}, Refusals: []Refusal{{404, "node not found"}, {409, "is alive"}}},
		{Method: "GET", Path: "/nodes/{node}/events", Who: Admin, Body: "[event]", Golden: []string{"node-events"}, Refusals: []Refusal{{400, badEventType}}},
		{
			Method: "GET", Path: "/nodes/{node}/processmetrics", Who: Admin, Body: "{float}", Golden: []string{"node-processmetrics"},
			Refusals: []Refusal{{404, "node not found"}},
		},
	}
}

// ownRoutes are those that older servers did not have.
func ownRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/healthz", Who: None, Body: "status", Golden: []string{"healthz"}},
		{Method: "GET", Path: "/readyz", Who: None, Body: "status", Golden: []string{"readyz"}, Refusals: []Refusal{{503, "not ready: "}}},
		{Method: "GET", Path: "/metrics", Who: None, Body: "media text/plain", Golden: []string{"metrics"}},
		{Method: "GET", Path: "/openapi.json", Who: None, Body: "object", Golden: []string{"openapi"}},
		{Method: "GET", Path: "/apidocs", Who: None, Body: "media text/html", Golden: []string{"apidocs"}},
	}
}
