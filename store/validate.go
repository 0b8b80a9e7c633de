package store

import (
	"strings"

	"github.com/shakenfist/shakenfist/fault"
)

// Validate reports, with fault.Invalid, what makes a commit unacceptable to every store: too many checks or ops, too
// many bytes, an empty or too long key or prefix, an unknown kind, an At without a revision, no ops, or a key written
// twice (also by a prefix deletion beside a put).
func Validate(checks []Check, ops []Op) error {
	switch {
	case len(ops) == 0:
		return invalid("", "a commit needs at least one op")
	case len(ops) > MaxOps:
		return invalid("", "%d ops in one commit, at most %d", len(ops), MaxOps)
	case len(checks) > MaxChecks:
		return invalid("", "%d checks in one commit, at most %d", len(checks), MaxChecks)
	}
	for _, c := range checks {
		if err := validateCheck(c); err != nil {
			return err
		}
	}
	size := 0
	for _, o := range ops {
		if err := validateOp(o); err != nil {
			return err
		}
		size += len(o.Key) + len(o.Value)
	}
	if size > MaxBytes {
		return invalid("", "%d bytes in one commit, at most %d", size, MaxBytes)
	}
	return validateOnce(ops)
}

func validateCheck(c Check) error {
	switch c.Kind {
	case CheckAt:
		// An etcd compares an absent key as one at revision 0, so without this rule the check would hold there.
		if c.Revision <= 0 {
			return invalid(c.Key, "revision %d of key %q cannot be checked; Absent checks that there is none", c.Revision, c.Key)
		}
	case CheckAbsent, CheckEmpty:
	default:
		return invalid(c.Key, "check of unknown kind %d", c.Kind)
	}
	return validateKey(c.Key)
}

func validateOp(o Op) error {
	switch o.Kind {
	case OpPut, OpDelete, OpDeletePrefix:
		return validateKey(o.Key)
	default:
		return invalid(o.Key, "op of unknown kind %d", o.Kind)
	}
}

func validateKey(key string) error {
	switch {
	case key == "":
		return invalid("", "a check or op needs a key")
	case len(key) > MaxKey:
		return invalid("", "a key of %d bytes, at most %d: %.40q…", len(key), MaxKey, key)
	}
	return nil
}

// validateOnce refuses commits whose result would depend on the order of their ops.
func validateOnce(ops []Op) error {
	written := make(map[string]bool, len(ops))
	for _, o := range ops {
		if written[o.Key] {
			return invalid(o.Key, "key %q is written twice in one commit", o.Key)
		}
		written[o.Key] = true
	}
	for _, p := range ops {
		if p.Kind != OpDeletePrefix {
			continue
		}
		for _, o := range ops {
			if o.Key != p.Key && strings.HasPrefix(o.Key, p.Key) {
				return invalid(o.Key, "key %q is written twice in one commit: prefix %q is deleted too", o.Key, p.Key)
			}
		}
	}
	return nil
}

func invalid(ref, format string, args ...any) error {
	return fault.New("store.Commit", fault.Invalid, ref, format, args...)
}
