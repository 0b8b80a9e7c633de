package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/internal/contract"
	"github.com/shakenfist/shakenfist/network"
)

// target is what requests of the matrix are about: an object in the path, a namespace in an argument, or nothing.
type target struct {
	name    string
	owner   string // the namespace it belongs to; "" if to none
	ref     string // what stands in the path
	missing string // what stands there for an object that is not there
	shared  bool   // everybody may read it
	space   string // the argument namespace; "" for none
	who     contract.Who
	fresh   func(cell) string // makes another one for a request that changes it; nil: that one will do
}

// site has one of each kind of object.
type site struct {
	*lab
	parameters *strings.Replacer
	byKind     map[contract.Kind][]target
	blob       string
	made       int
}

func newSite(l *lab) *site {
	l.t.Helper()
	s := &site{lab: l, parameters: strings.NewReplacer("{key}", "spare", "{algorithm}", "sha512", "{hash}", "none", "{external}", "nobody", "{name}", "made", "{index}", "1", "{offset}", "0"), byKind: make(map[contract.Kind][]target)}
	get[any](l, http.MethodPost, "/auth/namespaces/demo/keys", "demo", fields{"key_name": "spare", "key": "spare"})
	lan := l.makeNetwork("demo", "lan")
	vm := s.newInstance("vm", fields{"network_uuid": lan})
	image, shared := s.newArtifact("demo", "image", false), s.newArtifact("system", "shared", true)
	blob := get[api.Artifact](l, http.MethodGet, "/artifacts/"+image, "demo", nil).BlobUUID
	mine := func(name, ref, missing string, fresh func(cell) string) target {
		return target{name: name, owner: "demo", ref: ref, missing: missing, fresh: fresh}
	}
	s.byKind[contract.Instance] = []target{
		mine("an instance by UUID", vm, nothing, s.freshInstance), mine("an instance by name", "vm", "nameless", s.freshInstance),
	}
	s.byKind[contract.Network] = []target{
		mine("a network by UUID", lan, nothing, s.freshNetwork), mine("a network by name", "lan", "nameless", s.freshNetwork),
	}
	s.byKind[contract.Artifact] = []target{
		mine("an artifact by UUID", image, nothing, s.freshArtifact), mine("an artifact by name", "image", "nameless", s.freshArtifact),
		{name: "a shared artifact", owner: "system", ref: shared, missing: nothing, shared: true, fresh: s.freshArtifact},
	}
	s.byKind[contract.Interface] = []target{mine("an interface", l.interfaceOf(vm), nothing, nil)}
	s.byKind[contract.Namespace] = []target{mine("a namespace", "demo", "nowhere", s.freshNamespace)}
	s.byKind[contract.Blob] = []target{{name: "a blob", ref: blob, missing: nothing}}
	s.blob = blob
	get[any](l, http.MethodPost, "/label/tested", "demo", fields{"blob_uuid": blob})
	s.byKind[contract.Label] = []target{
		mine("a label", "demo/tested", "nowhere/tested", s.freshLabel), mine("a label, its slash escaped", "demo%2Ftested", "nowhere%2Ftested", nil),
	}
	s.byKind[contract.Upload] = []target{{name: "an upload", ref: l.uploaded("demo", nil), missing: nothing}}
	s.byKind[contract.Node] = []target{{name: "a node", ref: "node-1", missing: "nowhere", fresh: s.freshNode}}
	s.addDeleted()
	return s
}

// addDeleted adds an instance and a network that are deleted and can still be read.
func (s *site) addDeleted() {
	s.t.Helper()
	vm := s.newInstance("late")
	get[any](s.lab, http.MethodDelete, "/instances/"+vm, "demo", nil)
	s.waitInstance(vm, instance.Deleted)
	lan := s.makeNetwork("demo", "late")
	get[any](s.lab, http.MethodDelete, "/networks/"+lan, "demo", nil)
	s.waitNetwork(lan, network.Deleted)
	s.byKind["deleted instance"] = []target{{name: "a deleted instance", owner: "demo", ref: vm, missing: nothing}}
	s.byKind["deleted network"] = []target{{name: "a deleted network", owner: "demo", ref: lan, missing: nothing}}
}

// targets returns what a row is tried on.
func (s *site) targets(row contract.Route) []target {
	if !row.Done() {
		return nil
	}
	inDemo := target{name: "the namespace demo", owner: "demo", space: "demo"}
	switch row.Name() {
	case "POST /instances", "POST /artifacts", "POST /images", "POST /artifacts/upload/{name}":
		inDemo.who = contract.Trusted
		return []target{{name: "nothing"}, inDemo}
	case "POST /networks":
		inDemo.who = tenantsOnly
		return []target{{name: "nothing"}, inDemo}
	case "DELETE /instances", "DELETE /networks", "DELETE /artifacts":
		inDemo.who = tenantsOnly
		return []target{inDemo}
	case "POST /artifacts/{ref}/share", "POST /artifacts/{ref}/unshare":
		return slices.DeleteFunc(slices.Clone(s.byKind[row.Kind()]), func(t target) bool { return !t.shared }) // of others none can be
	case "DELETE /label/{name...}":
		return s.byKind[row.Kind()][:1]
	case "GET /instances/{ref}", "GET /networks/{ref}":
		return append(s.byKind[row.Kind()], s.byKind["deleted "+row.Kind()]...)
	}
	if row.Kind() == "" {
		return []target{{name: "nothing"}}
	}
	return s.byKind[row.Kind()]
}

// body is what a row's request says, so that nothing but the caller can be wrong with it.
func (s *site) body(row contract.Route) fields {
	metadata := strings.Contains(row.Path, "/metadata")
	switch {
	case metadata && row.Method == http.MethodPost:
		return fields{"key": "colour", "value": "red"}
	case metadata && row.Method == http.MethodPut:
		return fields{"value": "red"}
	case row.Method == http.MethodDelete && row.Path == "/networks":
		return fields{"confirm": true, "clean_wait": true}
	case row.Method == http.MethodDelete && row.Kind() == "":
		return fields{"confirm": true}
	}
	switch row.Name() {
	case "POST /auth":
		return fields{"namespace": "demo", "key": "demo"}
	case "POST /auth/namespaces":
		return fields{"namespace": s.name()}
	case "POST /auth/namespaces/{namespace}/keys", "PUT /auth/namespaces/{namespace}/keys":
		return fields{"key_name": "spare", "key": "spare"}
	case "PUT /auth/namespaces/{namespace}/keys/{key}":
		return fields{"key": "spare"}
	case "POST /auth/namespaces/{namespace}/trust":
		return fields{"external_namespace": "nobody"}
	case "POST /instances":
		return blankInstance()
	case "POST /networks":
		return fields{"name": "made", "netblock": "10.0.0.0/24"}
	case "POST /artifacts", "POST /images":
		return fields{"url": s.images + "/made"}
	case "POST /artifacts/upload/{name}", "POST /label/{name...}", "PUT /label/{name...}":
		return fields{"blob_uuid": s.blob}
	}
	return fields{}
}

func (s *site) newInstance(name string, networks ...fields) string {
	s.t.Helper()
	body := blankInstance(networks...)
	body["name"] = name
	vm := get[api.Instance](s.lab, http.MethodPost, "/instances", "demo", body).UUID
	s.waitInstance(vm, instance.Created)
	return vm
}

func (s *site) newArtifact(as, name string, shared bool) string {
	s.t.Helper()
	a := get[api.Artifact](s.lab, http.MethodPost, "/artifacts", as, fields{"url": s.images + "/" + name, "shared": shared}).UUID
	s.waitArtifact(a)
	return a
}

// The next three make an object for a request that changes it, and return its UUID, or its name if that is what the target
// is about.

// freshInstance makes one that is off, if it shall be turned on.
func (s *site) freshInstance(c cell) string {
	s.t.Helper()
	name := s.name()
	vm := s.newInstance(name)
	if strings.HasSuffix(c.row.Path, "/poweron") {
		get[any](s.lab, http.MethodPost, "/instances/"+vm+"/poweroff", "demo", nil)
	}
	return c.target.either(vm, name)
}

func (s *site) freshNetwork(c cell) string {
	s.t.Helper()
	name := s.name()
	return c.target.either(s.makeNetwork("demo", name), name)
}

func (s *site) freshArtifact(c cell) string {
	s.t.Helper()
	name := s.name()
	return c.target.either(s.newArtifact(c.target.owner, name, c.target.shared), name)
}

func (s *site) freshLabel(c cell) string {
	s.t.Helper()
	name := "demo/" + s.name()
	get[any](s.lab, http.MethodPost, "/label/"+name, "demo", fields{"blob_uuid": s.blob})
	return name
}

// name returns one that nothing has yet.
func (s *site) name() string {
	s.made++
	return fmt.Sprintf("fresh-%d", s.made)
}

func (t target) either(id, name string) string {
	if strings.HasSuffix(t.name, "by name") {
		return name
	}
	return id
}

// freshNode returns a node that can be deleted.
func (s *site) freshNode(c cell) string {
	s.t.Helper()
	if c.row.Name() != "DELETE /nodes/{node}" {
		return c.target.ref
	}
	name := s.name()
	s.cameAndWent(name)
	return name
}

// freshNamespace returns demo with the key that requests are about, or a namespace to be deleted.
func (s *site) freshNamespace(c cell) string {
	s.t.Helper()
	if c.row.Name() == "DELETE /auth/namespaces/{namespace}" {
		name := s.name()
		s.grow(name)
		return name
	}
	get[any](s.lab, http.MethodPost, "/auth/namespaces/demo/keys", "demo", fields{"key_name": "spare", "key": "spare"})
	return "demo"
}
