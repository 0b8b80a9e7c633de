package configdrive_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdomanski/iso9660"

	"github.com/shakenfist/shakenfist/configdrive"
	"github.com/shakenfist/shakenfist/fault"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// full is a drive that uses every field: two networks, and between them an interface without an address.
func full() configdrive.Drive {
	return configdrive.Drive{
		UUID:     "4a9c7b9e-1f52-4b5e-9d3c-0c9a3a1f2b01",
		Name:     "web-1",
		Zone:     "shakenfist",
		SSHKey:   "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOe someone@example.org\n",
		UserData: []byte("#!/bin/sh\necho <hello> & true\n"),
		Seed:     bytes.Repeat([]byte{0xa5, 0x5a, 0, 0xff}, 128),
		Interfaces: []configdrive.Interface{
			{
				ID: "b0c6e5ac-0e8f-4b25-8f1a-5a1f8f0e0003", NetworkID: "1e9222c5-2f0a-4c3b-8a43-9c6d9e0d0002", Order: 2,
				MAC: "02:00:00:00:00:03", MTU: 1450,
				Address: netip.MustParsePrefix("192.168.7.9/22"), Gateway: netip.MustParseAddr("192.168.4.1"),
			},
			{
				ID: "b0c6e5ac-0e8f-4b25-8f1a-5a1f8f0e0001", NetworkID: "1e9222c5-2f0a-4c3b-8a43-9c6d9e0d0001", Order: 0,
				MAC: "02:00:00:00:00:01", MTU: 7950,
			},
			{
				ID: "b0c6e5ac-0e8f-4b25-8f1a-5a1f8f0e0002", NetworkID: "1e9222c5-2f0a-4c3b-8a43-9c6d9e0d0001", Order: 1,
				MAC: "02:00:00:00:00:02", MTU: 7950,
				Address: netip.MustParsePrefix("10.0.0.47/24"), Gateway: netip.MustParseAddr("10.0.0.1"),
			},
			{
				ID: "b0c6e5ac-0e8f-4b25-8f1a-5a1f8f0e0004", NetworkID: "1e9222c5-2f0a-4c3b-8a43-9c6d9e0d0003", Order: 3,
				MAC: "02:00:00:00:00:04", MTU: 1500,
				Address: netip.MustParsePrefix("fd00:1::9/64"), Gateway: netip.MustParseAddr("fd00:1::1"),
			},
		},
		Resolvers: []configdrive.Resolver{
			{Address: netip.MustParseAddr("10.0.0.1"), Search: []string{"demo.shakenfist"}},
			{Address: netip.MustParseAddr("8.8.8.8")},
			{Address: netip.MustParseAddr("10.0.0.1"), Search: []string{"demo.shakenfist", "example.org"}},
		},
	}
}

// bare is a drive with nothing that can be left out.
func bare() configdrive.Drive {
	return configdrive.Drive{
		UUID: "4a9c7b9e-1f52-4b5e-9d3c-0c9a3a1f2b02", Name: "bare", Zone: "shakenfist", Seed: []byte{1, 2, 3},
	}
}

func build(t testing.TB, d configdrive.Drive) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := configdrive.Build(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns the files of an image by path, and a listing, as the iso9660 module reads them.
func read(t testing.TB, image []byte) (map[string]string, string) {
	t.Helper()
	i, err := iso9660.OpenImage(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	root, err := i.RootDir()
	if err != nil {
		t.Fatal(err)
	}
	files, listing := map[string]string{}, ""
	var walk func(at string, f *iso9660.File)
	walk = func(at string, f *iso9660.File) {
		if !f.IsDir() {
			b, err := io.ReadAll(f.Reader())
			if err != nil {
				t.Fatal(err)
			}
			files[at] = string(b)
			listing += fmt.Sprintf("%6d %s\n", len(b), at)
			return
		}
		children, err := f.GetChildren()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range children {
			walk(at+"/"+c.Name(), c)
		}
	}
	walk("", root)
	return files, listing
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run go test -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is meant, run go test -update. Got:\n%s", path, got)
	}
}

func TestContentIsWhatGuestsExpect(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]configdrive.Drive{"full": full(), "bare": bare()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, listing := read(t, build(t, d))
			golden(t, name+".listing", listing)
			for _, f := range []string{"meta_data.json", "network_data.json", "user_data", "vendor_data.json", "vendor_data2.json"} {
				latest, dated := files["/openstack/latest/"+f], files["/openstack/2017-02-22/"+f]
				if latest != dated {
					t.Errorf("%s differs between the two versions", f)
				}
				golden(t, name+"."+f, latest)
			}
		})
	}
}

func TestTheVolumeIsLabelledForBothKindsOfReader(t *testing.T) {
	t.Parallel()
	image := build(t, full())
	if got := string(image[0x8001:0x8006]); got != "CD001" {
		t.Errorf("identifier is %q", got)
	}
	if got := string(image[0x8028:0x8048]); strings.TrimRight(got, " ") != "config-2" {
		t.Errorf("primary label is %q", got)
	}
	if got := string(image[0x8828:0x8838]); got != "\x00c\x00o\x00n\x00f\x00i\x00g\x00-\x002" {
		t.Errorf("Joliet label is %q", got)
	}
	if len(image)%2048 != 0 || !bytes.Equal(image[0x8050:0x8054], []byte{byte(len(image) / 2048), 0, 0, 0}) {
		t.Errorf("%d bytes, while the volume says % x sectors", len(image), image[0x8050:0x8054])
	}
}

func TestTheSameDriveGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	d := full()
	first := build(t, d)
	if !bytes.Equal(first, build(t, d)) {
		t.Error("a second build differs")
	}
	d.Interfaces[0], d.Interfaces[1] = d.Interfaces[1], d.Interfaces[0]
	before := fmt.Sprint(d)
	if !bytes.Equal(first, build(t, d)) {
		t.Error("another order of the interfaces' list differs")
	}
	if fmt.Sprint(d) != before {
		t.Error("Build changed the drive it was given")
	}
}

func TestTheLargestDriveFits(t *testing.T) {
	t.Parallel()
	d := full()
	d.UserData = bytes.Repeat([]byte("x"), configdrive.MaxUserData)
	d.SSHKey = strings.Repeat("k", configdrive.MaxSSHKey)
	d.Seed = make([]byte, configdrive.MaxSeed)
	image := build(t, d)
	files, _ := read(t, image)
	if got := files["/openstack/latest/user_data"]; got != string(d.UserData) {
		t.Errorf("user data came back as %d bytes", len(got))
	}
	if len(image) > 512<<10 {
		t.Errorf("the image is %d bytes", len(image))
	}
}

// failing is a writer that breaks.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAWriterThatBreaksIsReported(t *testing.T) {
	t.Parallel()
	err := configdrive.Build(failing{}, full())
	if fault.KindOf(err) != fault.Internal || !strings.Contains(fault.Text(err), "no space left on device") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkBuild(b *testing.B) {
	d := full()
	for b.Loop() {
		if err := configdrive.Build(io.Discard, d); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleBuild() {
	var image bytes.Buffer
	err := configdrive.Build(&image, configdrive.Drive{
		UUID: "4a9c7b9e-1f52-4b5e-9d3c-0c9a3a1f2b01",
		Name: "web-1",
		Zone: "shakenfist",
		Seed: make([]byte, 512), // in earnest, from crypto/rand
	})
	fmt.Println(err, string(image.Bytes()[0x8028:0x8030]))
	// Output: <nil> config-2
}
