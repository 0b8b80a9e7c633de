package api

// Auth is the body of POST /auth.
type Auth struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"` // the secret; whichever key of the namespace it belongs to
}

// Token is the answer to POST /auth.
type Token struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"` // Bearer
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// Namespace is the view of a namespace.
type Namespace struct {
	Name     string       `json:"name"`
	State    string       `json:"state"` // created, deleted
	Keys     List[string] `json:"keys"`  // names; secrets are never shown
	Trust    Trust        `json:"trust"`
	Metadata Object       `json:"metadata"`
	Version  int          `json:"version"` // NamespaceVersion
}

// Trust says which other namespaces may act on a namespace.
type Trust struct {
	Full List[string] `json:"full"` // names; system is always among them
}

// CreateNamespace is the body of POST /auth/namespaces. A first key is optional.
type CreateNamespace struct {
	Namespace string `json:"namespace"`
	KeyName   string `json:"key_name,omitempty"`
	Key       string `json:"key,omitempty"`
}

// AddKey is the body of POST /auth/namespaces/{namespace}/keys.
type AddKey struct {
	KeyName string `json:"key_name"`
	Key     string `json:"key"` // the secret
}

// InNamespace is the body of requests on one object that may name the namespace it must be in.
type InNamespace struct {
	Namespace *string `json:"namespace,omitempty"`
}

// AddTrust is the body of POST /auth/namespaces/{namespace}/trust.
type AddTrust struct {
	ExternalNamespace string `json:"external_namespace"` // who shall be trusted; need not exist
}

// DeleteAll is the body of DELETE /instances and DELETE /artifacts.
type DeleteAll struct {
	Confirm   bool    `json:"confirm"`             // must be true
	Namespace *string `json:"namespace,omitempty"` // whose; required of system, the caller's for everybody else
}

// DeleteAllNetworks is the body of DELETE /networks.
type DeleteAllNetworks struct {
	DeleteAll
	CleanWait bool `json:"clean_wait"` // networks in use go too, once they are not
}

// Undeleted is the error of DELETE /networks when some of the networks are in use.
type Undeleted struct {
	Deleted List[string] `json:"deleted"` // UUIDs that are being deleted
	Unable  List[string] `json:"unable"`  // UUIDs that are in use
}
