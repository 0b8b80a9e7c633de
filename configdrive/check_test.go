package configdrive_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/configdrive"
	"github.com/shakenfist/shakenfist/fault"
)

func TestWhatNoGuestCouldUseIsRefusedByField(t *testing.T) {
	t.Parallel()
	type D = configdrive.Drive
	tests := []struct {
		name   string
		change func(*D)
		text   string // what the error begins with
	}{
		{"no UUID", func(d *D) { d.UUID = "" }, `uuid ""`},
		{"an upper-case UUID", func(d *D) { d.UUID = strings.ToUpper(d.UUID) }, `uuid "4A9C`},
		{"a misshapen UUID", func(d *D) { d.UUID = strings.ReplaceAll(d.UUID, "-", "0") }, `uuid "4a9c`},
		{"a name with dots", func(d *D) { d.Name = "a.b" }, `name "a.b" is not a DNS label`},
		{"a name that ends in a hyphen", func(d *D) { d.Name = "a-" }, `name "a-" is not a DNS label`},
		{"a long name", func(d *D) { d.Name = strings.Repeat("a", 64) }, `name "aaa`},
		{"no zone", func(d *D) { d.Zone = "" }, "zone must be one line"},
		{"a zone of two lines", func(d *D) { d.Zone = "a\nb" }, "zone must be one line"},
		{"a key that is a file of bytes", func(d *D) { d.SSHKey = "ssh\x00" }, "ssh_key must be public keys as text"},
		{"a key that is not UTF-8", func(d *D) { d.SSHKey = "\xff" }, "ssh_key must be public keys as text"},
		{"a long key", func(d *D) { d.SSHKey = strings.Repeat("a", 65537) }, "ssh_key is 65537 bytes long; at most 65536 fit"},
		{
			"too much user data", func(d *D) { d.UserData = make([]byte, configdrive.MaxUserData+1) },
			"user_data is 262145 bytes long; at most 262144 fit",
		},
		{"no seed", func(d *D) { d.Seed = nil }, "random_seed is 0 bytes long"},
		{"a long seed", func(d *D) { d.Seed = make([]byte, 4097) }, "random_seed is 4097 bytes long; it must be 1 to 4096"},
		{
			"too many interfaces", func(d *D) { d.Interfaces = make([]configdrive.Interface, 17) },
			"network lists 17 interfaces; at most 16 fit",
		},
		{"a negative order", func(d *D) { d.Interfaces[1].Order = -1 }, "network interface -1 has a negative order"},
		{"an order twice", func(d *D) { d.Interfaces[1].Order = 2 }, "network interface 2 is there twice"},
		{"no interface id", func(d *D) { d.Interfaces[1].ID = "x" }, `network interface 0 has id "x"`},
		{"an id twice", func(d *D) { d.Interfaces[2].ID = d.Interfaces[1].ID }, `network interface 1 has id "b0c6`},
		{"no network id", func(d *D) { d.Interfaces[1].NetworkID = "" }, `network interface 0 has network_id ""`},
		{"an upper-case MAC", func(d *D) { d.Interfaces[1].MAC = "02:00:00:00:00:AA" }, `network interface 0 has macaddr "02:00:00:00:00:AA"`},
		{"a multicast MAC", func(d *D) { d.Interfaces[1].MAC = "03:00:00:00:00:aa" }, "network interface 0 has macaddr"},
		{"a MAC twice", func(d *D) { d.Interfaces[2].MAC = "02:00:00:00:00:01" }, "network interface 1 has macaddr 02:00:00:00:00:01, and so has another"},
		{"no MTU", func(d *D) { d.Interfaces[1].MTU = 0 }, "network interface 0 has mtu 0; it must be 68 to 65535"},
		{
			"a gateway without an address", func(d *D) { d.Interfaces[1].Gateway = netip.MustParseAddr("10.0.0.1") },
			"network interface 0 has gateway 10.0.0.1 but no address",
		},
		{
			"a gateway out of reach", func(d *D) { d.Interfaces[0].Gateway = netip.MustParseAddr("10.0.0.1") },
			"network interface 2 has gateway 10.0.0.1, which is not in 192.168.4.0/22",
		},
		{
			"the gateway's address", func(d *D) { d.Interfaces[0].Address = netip.MustParsePrefix("192.168.4.1/22") },
			"network interface 2 has address 192.168.4.1, which is its gateway's too",
		},
		{
			"a multicast address", func(d *D) { d.Interfaces[0].Address = netip.MustParsePrefix("224.0.0.1/22") },
			"network interface 2 has address 224.0.0.1, which no host can have",
		},
		{"no DNS address", func(d *D) { d.Resolvers[1].Address = netip.Addr{} }, "dns server 1 has address invalid IP"},
		{
			"a zone in a DNS address", func(d *D) { d.Resolvers[1].Address = netip.MustParseAddr("fe80::1%eth0") },
			"dns server 1 has address fe80::1%eth0",
		},
		{"a search domain of two words", func(d *D) { d.Resolvers[0].Search = []string{"a b"} }, `dns server 0 has search domain "a b"`},
		{"an empty label", func(d *D) { d.Resolvers[0].Search = []string{"a..b"} }, `dns server 0 has search domain "a..b"`},
		{"a long domain", func(d *D) { d.Resolvers[0].Search = []string{strings.Repeat("a.", 128) + "b"} }, `dns server 0 has search domain "a.a.`},
		{"many domains", func(d *D) { d.Resolvers[0].Search = make([]string, 33) }, "dns server 0 has 33 search domains"},
		{"many servers", func(d *D) { d.Resolvers = make([]configdrive.Resolver, 65) }, "dns lists 65 servers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := full()
			tt.change(&d)
			var b bytes.Buffer
			err := configdrive.Build(&b, d)
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(fault.Text(err), tt.text) {
				t.Errorf("got %v: %s\nwant invalid: %s…", fault.KindOf(err), fault.Text(err), tt.text)
			}
			if b.Len() != 0 {
				t.Errorf("%d bytes were written all the same", b.Len())
			}
		})
	}
}

func FuzzBuild(f *testing.F) {
	f.Add("web-1", "zone", "ssh-ed25519 AAAA", []byte("#cloud-config"), "10.0.0.5/24", "10.0.0.1", "demo.shakenfist", 1500)
	f.Add("a", "b", "", []byte(nil), "", "", "", 0)
	f.Fuzz(func(t *testing.T, name, zone, key string, user []byte, address, gateway, search string, mtu int) {
		d := full()
		d.Name, d.Zone, d.SSHKey, d.UserData = name, zone, key, user
		d.Interfaces[1].Address, _ = netip.ParsePrefix(address)
		d.Interfaces[1].Gateway, _ = netip.ParseAddr(gateway)
		d.Interfaces[1].MTU = mtu
		d.Resolvers[0].Search = []string{search}
		var b bytes.Buffer
		if err := configdrive.Build(&b, d); err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		files, _ := read(t, b.Bytes())
		if got := files["/openstack/latest/user_data"]; len(user) > 0 && got != string(user) {
			t.Fatalf("user data %q came back as %q", user, got)
		}
		checkSchema(t, networkData(t, b.Bytes()))
	})
}
