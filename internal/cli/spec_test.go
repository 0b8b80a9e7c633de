package cli

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/shakenfist/shakenfist/api"
)

func FuzzSpecs(f *testing.F) {
	for _, seed := range []string{
		"8@debian:12", "@cirros", "8", "@", "-1@x", "size=8,base=debian:12,bus=scsi", "size=,bus", "net1@10.0.0.9", "net1@", "network_uuid=net1,float=true",
		"network_uuid=", "model=vga,memory=32768", "memory=99999999999999999999", `tags=["web"]`, "affinity={", "=x", "a=b=c", "a=\x00\xff", ",,,", "=,=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		disk, err := parseDisk(text)
		wellFormed(t, text, disk, err)
		disk, err = parseDiskSpec(text)
		wellFormed(t, text, disk, err)
		network, err := parseNetwork(text, true)
		wellFormed(t, text, network, err)
		if err == nil && network.Network == "" {
			t.Errorf("%q is no network, and is taken for one", text)
		}
		network, err = parseNetworkSpec(text)
		wellFormed(t, text, network, err)
		video, err := parseVideo(text)
		wellFormed(t, text, video, err)
		metadata, err := parseMetadata([]string{text, "owner=alice"})
		wellFormed(t, text, metadata, err)
		for _, key := range []string{"tags", "affinity"} {
			if _, isText := metadata[key].(string); isText {
				t.Errorf("%q: %s is text", text, key)
			}
		}
	})
}

// wellFormed checks that a spec was refused as a mistake of the user, or can be sent and means the same there.
func wellFormed[T any](t *testing.T, text string, spec T, err error) {
	t.Helper()
	if err != nil {
		if _, ok := errors.AsType[usageError](err); !ok {
			t.Errorf("%q: %v is not the user's mistake", text, err)
		}
		return
	}
	b, err := json.Marshal(spec)
	if err != nil {
		t.Errorf("%q became %+v, which has no form in JSON: %v", text, spec, err)
		return
	}
	var again T
	if err := json.Unmarshal(b, &again); err != nil {
		t.Errorf("%q became %s: %v", text, b, err)
	}
	if d, ok := any(again).(api.DiskSpec); ok && d.Size != nil && *d.Size < 0 {
		t.Errorf("%q is a disk of %d GiB", text, *d.Size)
	}
}
