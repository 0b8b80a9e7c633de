//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"encoding/xml"
	"errors"
	"strings"
	"sync"

	"libvirt.org/go/libvirt"
)

// ownership knows which domains are ours. What it has learned once it need not ask libvirt again.
type ownership struct {
	us owner

	mu   sync.Mutex
	ours map[string]bool // guarded by mu; by ID
}

// mark is the element owner as libvirt gives it back: without its namespace.
type mark struct {
	Cloud string `xml:"cloud,attr"`
	Node  string `xml:"node,attr"`
}

// Whose a domain is.
type whose int

const (
	nobodys whose = iota // there is no such domain
	ours
	foreign
)

func newOwnership(us owner) *ownership { return &ownership{us: us, ours: map[string]bool{}} }

func (o *ownership) learn(id string, is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ours[id] = is
}

func (o *ownership) forget(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.ours, id)
}

func (o *ownership) recall(id string) (is, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	is, known = o.ours[id]
	return is, known
}

// known returns a domain's ID and whether it is ours. It asks libvirt only for domains that it meets for the first time
// and that have a name like ours.
func (o *ownership) known(ld *libvirt.Domain) (id string, is bool, err error) {
	name, err := ld.GetName()
	if err != nil {
		return "", false, err
	}
	id, found := strings.CutPrefix(name, domainName(""))
	if !found {
		return "", false, nil
	}
	if uuid, err := ld.GetUUIDString(); err != nil || uuid != id {
		return "", false, err
	}
	if is, ok := o.recall(id); ok {
		return id, is, nil
	}
	text, err := ld.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, metadataURI, libvirt.DOMAIN_AFFECT_CURRENT)
	if err != nil && !hasCode(err, libvirt.ERR_NO_DOMAIN_METADATA) {
		return id, false, err
	}
	var w mark
	is = err == nil && xml.Unmarshal([]byte(text), &w) == nil && w.Cloud == o.us.Cloud && w.Node == o.us.Node
	o.learn(id, is)
	return id, is, nil
}

// ask says whose the domain id is, if there is one.
func (o *ownership) ask(c *libvirt.Connect, id string) (whose, error) {
	if is, ok := o.recall(id); ok && is {
		return ours, nil
	}
	ld, err := c.LookupDomainByUUIDString(id)
	if hasCode(err, libvirt.ERR_NO_DOMAIN) {
		return nobodys, nil
	}
	if err != nil {
		return nobodys, err
	}
	o.forget(id) // what was foreign may have been removed and made again
	_, is, err := o.known(ld)
	if err := errors.Join(err, ld.Free()); err != nil {
		return nobodys, err
	}
	if is {
		return ours, nil
	}
	return foreign, nil
}
