package contract

// versionRoutes are those that change what an artifact has, and who may use it.
func versionRoutes() []Route {
	return []Route{
		{
			Method: "POST", Path: "/artifacts/upload/{name}", Who: Any, Body: "artifact",
			Golden: []string{"artifact-upload", "artifact-upload-again", "artifact-upload-blob", "artifact-upload-other"},
			Refusals: []Refusal{
				{400, "upload_uuid and blob_uuid are both given"},
				{400, "missing upload_uuid or blob_uuid in request"},
				{400, "artifact name"},
				{400, "source_url"},
				{403, "artifact_type"},
				{403, "only the system namespace can create shared artifacts"},
				{404, "upload not found"},
				{404, "blob not found"},
				{404, noNamespace},
				{409, "artifacts of other namespaces come from"},
			},
		},
		{
			Method: "POST", Path: "/artifacts/{ref}/versions", Who: Trusted, Body: "null", Golden: []string{"artifact-max-versions"},
			Refusals: []Refusal{{400, "max_versions is 0"}, {400, "max_versions is not an integer"}},
		},
		{
			Method: "DELETE", Path: "/artifacts/{ref}/versions/{index}", Who: Trusted, Body: "artifact",
			Golden:   []string{"artifact-delete-version", "artifact-delete-last-version"},
			Refusals: []Refusal{{400, "is not an integer"}, {404, "artifact index not found"}},
		},
		{
			Method: "POST", Path: "/artifacts/{ref}/share", Who: Trusted, Body: "artifact", Golden: []string{"artifact-share"},
			Refusals: []Refusal{{403, "only artifacts in the system namespace can be shared"}},
		},
		{
			Method: "POST", Path: "/artifacts/{ref}/unshare", Who: Trusted, Body: "artifact", Golden: []string{"artifact-unshare"},
			Refusals: []Refusal{{403, "artifact not shared"}},
		},
	}
}

func labelRoutes() []Route {
	const path = "/label/{name...}"
	wrong := []Refusal{
		{400, "missing blob_uuid in request"}, {400, "more than one slash"}, {400, "max_versions is 101"}, {404, "blob not found"}, {404, noNamespace},
	}
	missing := []Refusal{{400, "more than one slash"}, {404, "label not found"}}
	return []Route{
		{Method: "POST", Path: path, Who: Trusted, Body: "artifact", Golden: []string{"label-set", "label-set-again"}, Refusals: wrong},
		{Method: "PUT", Path: path, Who: Trusted, Body: "artifact", Golden: []string{"label-put"}, Refusals: wrong[:1]},
		{Method: "GET", Path: path, Who: Trusted, Body: "artifact", Golden: []string{"label-show"}, Refusals: missing},
		{Method: "DELETE", Path: path, Who: Trusted, Body: "artifact", Golden: []string{"label-delete"}, Refusals: missing},
	}
}

func uploadRoutes() []Route {
	missing := Refusal{404, "upload not found"}
	return []Route{
		{Method: "POST", Path: "/upload", Who: Any, Body: "upload", Golden: []string{"upload-create"}},
		{Method: "POST", Path: "/upload/{uuid}", Who: Any, Body: "int", Golden: []string{"upload-append"}, Refusals: []Refusal{missing}},
		{
			Method: "POST", Path: "/upload/{uuid}/truncate/{offset}", Who: Any, Body: "null", Golden: []string{"upload-truncate"},
			Refusals: []Refusal{missing, {400, "is not an integer"}, {400, "the upload has 4 bytes"}},
		},
	}
}
