package cli

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
)

// argumentsOf returns the arguments that a JSON text holds.
func argumentsOf(t *testing.T, text string) *arguments {
	t.Helper()
	path := filepath.Join(t.TempDir(), "arguments.json")
	write(t, path, text)
	a, err := readArguments(path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestArgumentsAreTakenInTheFormsThatPlaybooksHave(t *testing.T) {
	t.Parallel()
	a := argumentsOf(t, `{"a": "7", "b": 7, "c": "yes", "d": false, "e": "", "f": null, "g": 1.5, "h": "one", "i": "perhaps",
		"j": ["x"], "k": "alone", "l": {"m": 1}, "_ansible_no_log": true, "odd": 1}`)
	for name, want := range map[string]*int{"a": new(7), "b": new(7), "e": nil, "f": nil, "missing": nil} {
		if got := a.number(name); !reflect.DeepEqual(got, want) {
			t.Errorf("the number %s is %v", name, got)
		}
	}
	for name, want := range map[string]*bool{"c": new(true), "d": new(false), "e": nil, "missing": nil} {
		if got := a.flag(name); !reflect.DeepEqual(got, want) {
			t.Errorf("the flag %s is %v", name, got)
		}
	}
	if got := []string{a.text("b"), a.text("missing", "a"), a.text("f"), a.text("g")}; !slices.Equal(got, []string{"7", "7", "", "1.5"}) {
		t.Errorf("the texts are %q", got)
	}
	if x, y, z := a.list("j"), a.list("k"), a.list("f"); len(x) != 1 || len(y) != 1 || y[0] != "alone" || z != nil {
		t.Errorf("the lists are %v, %v, %v", x, y, z)
	}
	if o := a.object("l"); len(o) != 1 || a.err != nil {
		t.Errorf("the object is %v; %v", o, a.err)
	}
	a.number("h")
	a.flag("i")
	if a.err == nil || a.err.Error() != "h must be a whole number" {
		t.Errorf("the first mistake is %v", a.err)
	}
	if got := a.strange(); !slices.Equal(got, []string{"odd"}) {
		t.Errorf("%v were not asked for", got)
	}
}

func TestTheValueOfAWrongArgumentIsNotTold(t *testing.T) {
	t.Parallel()
	a := argumentsOf(t, `{"key": ["hunter2"]}`)
	if a.text("key"); a.err == nil || strings.Contains(a.err.Error(), "hunter2") {
		t.Errorf("got %v", a.err)
	}
}

func TestAnInstanceIsDescribedInOldWordsAndNew(t *testing.T) {
	t.Parallel()
	const before = `{"name": "web1", "cpu": "2", "ram": "1024", "disks": ["8@debian:12", "2"], "diskspecs": ["size=4,bus=scsi"],
		"networks": ["lan@10.0.0.9"], "networkspecs": ["network_uuid=dmz,model=e1000,float=true"], "placement": "node-1",
		"secureboot": "yes", "video": "model=vga,memory=32768", "side_channels": ["sf-agent"]}`
	const now = `{"name": "web1", "cpus": 2, "memory": 1024,
		"disk": [{"size": "8", "base": "debian:12"}, {"size": 2}, {"size": 4, "bus": "scsi"}],
		"network": [{"network_uuid": "lan", "address": "10.0.0.9"}, {"network_uuid": "dmz", "model": "e1000", "float": true}],
		"placed_on": "node-1", "secure_boot": true, "video": {"model": "vga", "memory": "32768"}, "side_channels": "sf-agent"}`
	var bodies []string
	for _, text := range []string{before, now} {
		m := &module{args: argumentsOf(t, text)}
		w, err := m.wantedInstance()
		if err != nil || m.read() != nil || m.log != nil {
			t.Fatalf("%s: %v, %v", text, err, m.log)
		}
		b, err := json.Marshal(w.CreateInstance)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	if bodies[0] != bodies[1] || !strings.Contains(bodies[0], `"video":{"model":"vga","memory":32768,"vdi":"spice"}`) {
		t.Errorf("they are %s\nand %s", bodies[0], bodies[1])
	}
}

func TestWhatIsNotDescribedIsNotCompared(t *testing.T) {
	t.Parallel()
	is := api.Instance{
		Name: "web1", CPUs: 2, Memory: 1024, State: "created", ConfigDrive: "openstack-disk", SideChannels: []string{"sf-agent"},
		Video:    api.Video{Model: "cirrus", Memory: 16384, VDI: "spice"},
		DiskSpec: []api.DiskSpec{{Size: new(8), Base: new("debian:12"), BlobUUID: "b1"}},
	}
	for text, want := range map[string]string{
		`{}`: "", `{"name": "web1", "cpus": 2, "memory": 1024, "disk": [{"size": 8, "base": "debian:12", "bus": "virtio"}]}`: "",
		`{"cpus": 4, "memory": 2048}`: "cpus is 2 and should be 4, memory is 1024 and should be 2048",
		`{"disk": []}`:                "disk differs", `{"disk": [{"size": 9, "base": "debian:12"}]}`: "disk differs",
		`{"side_channels": []}`: "side_channels differ", `{"video": "model=vga"}`: "video differs", `{"video": {}}`: "",
		`{"network": ["lan"]}`: "network differs", `{"network": []}`: "", `{"uefi": true}`: "uefi differs", `{"uefi": "no"}`: "",
		`{"user_data": "aGVsbG8="}`: "user_data differs", `{"placed_on": "node-2"}`: "placed_on differs", `{"configdrive": "none"}`: "configdrive differs",
	} {
		m := &module{args: argumentsOf(t, text)}
		w, err := m.wantedInstance()
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.instanceDiffers(t.Context(), is, w)
		if err != nil || strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
	is.State = api.StateError
	if got, _ := (&module{args: newArguments(nil)}).instanceDiffers(t.Context(), is, wantedInstance{}); !slices.Equal(got, []string{"its state is error"}) {
		t.Errorf("of a failed one: %v", got)
	}
}

func FuzzArgumentsOfAModule(f *testing.F) {
	for _, seed := range []string{
		`{"name": "web1", "cpus": "1", "disk": [{"size": "8"}, "2@x", null], "network": "lan", "video": {}, "metadata": {"a": 1}}`,
		`{"disks": [[]], "networks": [{"network_uuid": {}}], "diskspecs": ["size=a"], "uefi": 1, "cpu": 1e999, "side_channels": {"a": 1}}`,
		`{"disk": {"size": -1, "colour": "blue"}, "networkspecs": ["network_uuid=a=b,float=maybe"]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values := map[string]any{}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&values) != nil {
			t.Skip("not the JSON of an object")
		}
		m := &module{args: newArguments(values)}
		w, err := m.wantedInstance()
		if err != nil || m.read() != nil {
			return
		}
		b, err := json.Marshal(w.CreateInstance)
		if err != nil {
			t.Fatalf("%s makes a request that has no form in JSON: %v", text, err)
		}
		var again api.CreateInstance
		if err := json.Unmarshal(b, &again); err != nil || again.CPUs != w.CPUs || len(again.Disk) != len(w.Disk) {
			t.Errorf("%s became %s: %v", text, b, err)
		}
	})
}
