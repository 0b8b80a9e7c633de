package contract

func artifactRoutes() []Route {
	return []Route{
		{
			Method: "GET", Path: "/artifacts", Who: Any, Body: "[artifact]",
			Golden: []string{"artifact-list-empty", "artifact-list", "artifact-list-elsewhere"},
		},
		{
			Method: "POST", Path: "/artifacts", Who: Any, Body: "artifact", Golden: []string{"artifact-create"},
			Refusals: []Refusal{
				{400, "missing url in request"},
				{403, "only the system namespace can create shared artifacts"},
				{404, noNamespace},
				{409, "artifacts of other namespaces come from"},
			},
		},
		{
			Method: "DELETE", Path: "/artifacts", Who: Any, Body: "[string]", Golden: []string{"artifact-delete-all"},
			Refusals: []Refusal{{400, unconfirmed}, {400, whose}, {401, notMine}},
		},
		{Method: "GET", Path: "/artifacts/{ref}", Who: Shared, Body: "artifact", Golden: []string{"artifact-show"}, Refusals: []Refusal{{400, ambiguous}}},
		{Method: "DELETE", Path: "/artifacts/{ref}", Who: Trusted, Body: "artifact or null", Golden: []string{"artifact-delete", "artifact-delete-again"}},
		{Method: "GET", Path: "/artifacts/{ref}/events", Who: Shared, Body: "[event]", Golden: []string{"artifact-events"}, Refusals: []Refusal{{400, badEventType}}},
		{Method: "GET", Path: "/artifacts/{ref}/versions", Who: Shared, Body: "[version]", Golden: []string{"artifact-versions"}},
		{Method: "POST", Path: "/images", Who: Any, Body: "artifact", Golden: []string{"image-create"}, Refusals: []Refusal{{400, "missing url in request"}}},
		{Method: "GET", Path: "/images", Who: Any, Body: "[artifact]", Golden: []string{"image-list"}},
	}
}

func blobRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/blobs", Who: Admin, Body: "[blob]", Golden: []string{"blob-list", "blob-list-elsewhere"}},
		{Method: "GET", Path: "/blobs/{uuid}", Who: Any, Body: "used blob", Golden: []string{"blob-show"}, Refusals: []Refusal{{404, "blob not found"}}},
		{
			Method: "GET", Path: "/blobs/{uuid}/data", Who: Any, Body: "media application/octet-stream", Golden: []string{"blob-data", "blob-data-past-the-end"},
			Refusals: []Refusal{{404, "blob not found"}},
		},
		{
			Method: "GET", Path: "/blob_checksums/{algorithm}/{hash}", Who: Any, Body: "used blob or null",
			Golden: []string{"blob-by-sha512", "blob-by-checksum-none"}, Refusals: []Refusal{{400, "unknown hash algorithm"}},
		},
	}
}

// laterRoutes are those of resources that are not there at all yet.
func laterRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/agentoperations/{uuid}", Who: Owner, Issue: 7},
		{Method: "DELETE", Path: "/agentoperations/{uuid}", Who: Owner, Issue: 7},
	}
}

// metadataRoutes are four for each kind that has metadata.
func metadataRoutes() []Route {
	var rows []Route
	empty := []Refusal{{400, "no value specified"}}
	for _, of := range []struct {
		prefix      string
		kind        Kind
		read, write Who
	}{
		{"/artifacts/{ref}", Artifact, Shared, Trusted},
		{"/blobs/{uuid}", Blob, Any, Admin},
		{"/interfaces/{uuid}", Interface, Owner, Owner},
		{"/instances/{ref}", Instance, Owner, Owner},
		{"/auth/namespaces/{namespace}", Namespace, Trusted, Trusted},
		{"/networks/{ref}", Network, Owner, Owner},
		{"/nodes/{node}", Node, Admin, Admin},
	} {
		path, named := of.prefix+"/metadata", string(of.kind)+"-metadata"
		wrong := empty
		if of.kind == Instance {
			wrong = append(empty[:1:1], Refusal{400, `value for "tags" key should be a JSON list`}, Refusal{400, "affinity"})
		}
		rows = append(rows,
			Route{Method: "GET", Path: path, Who: of.read, Body: "object", Golden: []string{named, named + "-empty"}},
			Route{
				Method: "POST", Path: path, Who: of.write, Body: "null", Golden: []string{named + "-set"},
				Refusals: append([]Refusal{{400, "no key specified"}}, wrong...),
			},
			Route{Method: "PUT", Path: path + "/{key}", Who: of.write, Body: "null", Golden: []string{named + "-replace"}, Refusals: wrong},
			Route{Method: "DELETE", Path: path + "/{key}", Who: of.write, Body: "null", Golden: []string{named + "-delete", named + "-delete-again"}},
		)
	}
	return rows
}
