package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// The short and long forms in which flags describe disks, networks, video cards and metadata.

// parsePairs reads "key=value,key=value" into the setters of its keys. Values may hold equals signs, but no commas.
func parsePairs(flag, text string, set map[string]func(value string) error) error {
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		setter := set[key]
		switch {
		case !ok:
			return usageError{fmt.Sprintf("--%s %q: %q is not of the form key=value", flag, text, pair)}
		case setter == nil:
			return usageError{fmt.Sprintf("--%s %q: there is no key %q; want %s", flag, text, key, strings.Join(slices.Sorted(maps.Keys(set)), ", "))}
		}
		if err := setter(value); err != nil {
			return usageError{fmt.Sprintf("--%s %q: %s: %v", flag, text, key, err)}
		}
	}
	return nil
}

// into returns a setter that stores the value as it is.
func into(s *string) func(string) error {
	return func(value string) error {
		*s = value
		return nil
	}
}

// optional returns a setter that stores a pointer to the value.
func optional(s **string) func(string) error {
	return func(value string) error {
		*s = &value
		return nil
	}
}

func number(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

// parseDisk reads SIZE[@BASE], or @BASE for a disk of the size of its base.
func parseDisk(text string) (api.DiskSpec, error) {
	var d api.DiskSpec
	size, base, based := strings.Cut(text, "@")
	if based && base != "" {
		d.Base = &base
	}
	if size == "" && d.Base != nil {
		return d, nil
	}
	n, err := number(size)
	if err != nil {
		return d, usageError{fmt.Sprintf("--disk %q: %v of GiB; want SIZE or SIZE@BASE, such as 8@debian:12", text, err)}
	}
	d.Size = &n
	return d, nil
}

func parseDiskSpec(text string) (api.DiskSpec, error) {
	var d api.DiskSpec
	err := parsePairs("diskspec", text, map[string]func(string) error{
		"base": optional(&d.Base), "bus": optional(&d.Bus), "type": optional(&d.Type),
		"size": func(value string) error {
			n, err := number(value)
			d.Size = &n
			return err
		},
	})
	return d, err
}

// parseNetwork reads NETWORK[@ADDRESS].
func parseNetwork(text string, float bool) (api.NetworkSpec, error) {
	name, address, _ := strings.Cut(text, "@")
	if name == "" {
		return api.NetworkSpec{}, usageError{fmt.Sprintf("%q names no network; want NETWORK or NETWORK@ADDRESS", text)}
	}
	return api.NetworkSpec{Network: name, Address: address, Float: float}, nil
}

func parseNetworkSpec(text string) (api.NetworkSpec, error) {
	var n api.NetworkSpec
	err := parsePairs("networkspec", text, map[string]func(string) error{
		"network_uuid": into(&n.Network), "address": into(&n.Address), "macaddress": into(&n.MAC), "model": into(&n.Model),
		"float": func(value string) error {
			var err error
			n.Float, err = strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("%q is neither true nor false", value)
			}
			return nil
		},
	})
	if err == nil && n.Network == "" {
		err = usageError{fmt.Sprintf("--networkspec %q: network_uuid is missing", text)}
	}
	return n, err
}

func parseVideo(text string) (api.Video, error) {
	v := api.Video{Model: "cirrus", Memory: 16384, VDI: "spice"}
	if text == "" {
		return v, nil
	}
	err := parsePairs("videospec", text, map[string]func(string) error{
		"model": into(&v.Model), "vdi": into(&v.VDI),
		"memory": func(value string) error {
			var err error
			v.Memory, err = number(value)
			return err
		},
	})
	return v, err
}

// parseMetadata reads key=value pairs. Values are text, but those of tags and affinity are JSON.
func parseMetadata(pairs []string) (api.Object, error) {
	o := api.Object{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usageError{fmt.Sprintf("--metadata %q is not of the form key=value", pair)}
		}
		o[key] = value
		if key == "tags" || key == "affinity" {
			if !json.Valid([]byte(value)) {
				return nil, usageError{fmt.Sprintf(`--metadata %q: the value must be JSON, such as tags=["web"] or affinity={"web":-1}`, pair)}
			}
			o[key] = json.RawMessage(value)
		}
	}
	return o, nil
}

// parseAll calls parse for each element. It returns nil for nil, and an empty list for one.
func parseAll[F, T any](from []F, parse func(F) (T, error)) ([]T, error) {
	if from == nil {
		return nil, nil
	}
	all := make([]T, 0, len(from))
	for _, element := range from {
		one, err := parse(element)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
