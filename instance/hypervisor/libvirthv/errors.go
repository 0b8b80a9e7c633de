//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"errors"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
)

// isLost reports whether err says that there is no libvirtd at the other end.
func isLost(err error) bool {
	e, ok := errors.AsType[libvirt.Error](err)
	if !ok {
		return false
	}
	return e.Domain == libvirt.FROM_RPC || e.Code == libvirt.ERR_RPC || e.Code == libvirt.ERR_NO_CONNECT ||
		e.Code == libvirt.ERR_INVALID_CONN
}

func lost(op, ref, uri string, err error) error {
	return fault.Because(op, fault.Unavailable, ref, plain(err),
		"libvirt at %s does not answer; check that libvirtd runs (systemctl status libvirtd)", uri)
}

// plain returns err without the binding's numbers.
func plain(err error) error {
	if e, ok := errors.AsType[libvirt.Error](err); ok {
		return errors.New(e.Message)
	}
	return err
}

func hasCode(err error, code libvirt.ErrorNumber) bool {
	e, ok := errors.AsType[libvirt.Error](err)
	return ok && e.Code == code
}

// phrases are parts of messages in which libvirt and QEMU say more than with their codes.
func phrases() []struct {
	part string
	kind fault.Kind
	cure string
} {
	return []struct {
		part string
		kind fault.Kind
		cure string
	}{
		{"No space left on device", fault.Exhausted, "the host's disk is full; make room there or use another node"},
		{"Cannot allocate memory", fault.Exhausted, "the host has no memory left for this guest; use another node or a smaller guest"},
		{"cannot set up guest memory", fault.Exhausted, "the host has no memory left for this guest; use another node or a smaller guest"},
		{"Unable to get interface MTU", fault.Unavailable, "the bridge of one of its networks is not on this host yet"},
		{"Cannot get interface MTU", fault.Unavailable, "the bridge of one of its networks is not on this host yet"},
		{"No such file or directory", fault.NotFound, "a file of the guest is not there"},
		{"Permission denied", fault.Invalid, "QEMU may not open a file of the guest; check its folder's permissions and AppArmor's log"},
		{"End of file from qemu monitor", fault.Unavailable, "its guest has just ended; try again"},
		{"Unable to write to monitor", fault.Unavailable, "its guest has just ended; try again"},
		{"Unable to read from monitor", fault.Unavailable, "its guest has just ended; try again"},
		{"domain is not running", fault.Unavailable, "its guest has just ended; try again"},
		{"Failed to get \"write\" lock", fault.Unavailable, "one of its disks is in use by another process"},
	}
}

// translate returns what libvirt says of a domain as a fault that says what to do.
func translate(op, id string, err error) error {
	e, ok := errors.AsType[libvirt.Error](err)
	if !ok {
		return err // nil, or a fault already
	}
	if e.Code == libvirt.ERR_NO_DOMAIN {
		return unknown(op, id)
	}
	for _, p := range phrases() {
		if strings.Contains(e.Message, p.part) {
			return fault.Because(op, p.kind, id, plain(err), "%s", p.cure)
		}
	}
	switch e.Code { //nolint:exhaustive // there are more than a hundred; all others are nobody's fault we know of
	case libvirt.ERR_XML_ERROR, libvirt.ERR_XML_DETAIL, libvirt.ERR_XML_INVALID_SCHEMA, libvirt.ERR_CONFIG_UNSUPPORTED,
		libvirt.ERR_INVALID_ARG, libvirt.ERR_NO_SUPPORT, libvirt.ERR_ARGUMENT_UNSUPPORTED:
		return fault.Because(op, fault.Invalid, id, plain(err), "libvirt refuses this domain")
	case libvirt.ERR_OPERATION_TIMEOUT, libvirt.ERR_RESOURCE_BUSY:
		return fault.Because(op, fault.Unavailable, id, plain(err), "libvirt is busy with this domain")
	case libvirt.ERR_NO_MEMORY:
		return fault.Because(op, fault.Exhausted, id, plain(err), "libvirt has no memory left")
	}
	return fault.Because(op, fault.Internal, id, plain(err), "libvirt failed; the log of libvirtd on the node may say more")
}

func unknown(op, id string) error {
	return fault.New(op, fault.NotFound, id, "domain %s is not defined on this host", id)
}
