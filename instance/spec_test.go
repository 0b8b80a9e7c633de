package instance

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network"
)

func valid() Spec {
	return Spec{Name: "vm", Namespace: "system", CPUs: 1, MemoryMiB: 64, Disks: []DiskSpec{{SizeGiB: 1}}}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := valid()
	disks := s.Disks
	s.Disks = append(s.Disks, DiskSpec{Base: "http://x/y"}, DiskSpec{Base: "None", SizeGiB: 2})
	given := slices.Clone(s.Disks)
	require.NoError(t, s.normalise("virtio"))
	require.Equal(t, Video{Model: "cirrus", MemoryKiB: 16384, VDI: "spice"}, s.Video)
	require.Equal(t, OpenStackDisk, s.ConfigDrive)
	require.Equal(t, []string{"sf-agent"}, s.SideChannels)
	require.Equal(t, []DiskSpec{{SizeGiB: 1, Type: "disk"}, {Base: "http://x/y", Type: "disk"}, {SizeGiB: 2, Type: "disk"}}, s.Disks)
	require.Equal(t, "None", given[2].Base)
	require.Empty(t, disks[0].Type, "the caller's own disks were changed")
	require.Equal(t, "pc", s.machine())
	s.UEFI, s.SecureBoot, s.SideChannels = true, true, []string{}
	require.NoError(t, s.normalise("virtio"))
	require.Equal(t, "q35", s.machine())
	require.Empty(t, s.SideChannels, "none was asked for")
}

// disks returns n disks like d.
func disks(n int, d DiskSpec) []DiskSpec { return slices.Repeat([]DiskSpec{d}, n) }

func encoded(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

func TestEveryFieldIsChecked(t *testing.T) {
	t.Parallel()
	one := func(d DiskSpec) func(*Spec) { return func(s *Spec) { s.Disks = []DiskSpec{{SizeGiB: 1}, d} } }
	for name, c := range map[string]struct {
		change func(*Spec)
		text   string // "" if it is fine
	}{
		"a plain instance":               {func(*Spec) {}, ""},
		"no name":                        {func(s *Spec) { s.Name = "" }, "name"},
		"a name with a dot":              {func(s *Spec) { s.Name = "a.b" }, "name"},
		"a name with an end of line":     {func(s *Spec) { s.Name = "a\n" }, "name"},
		"a name with an edge":            {func(s *Spec) { s.Name = "a-" }, "name"},
		"a name of 63":                   {func(s *Spec) { s.Name = strings.Repeat("n", 63) }, ""},
		"a name of 64":                   {func(s *Spec) { s.Name = strings.Repeat("n", 64) }, "name"},
		"a name of a megabyte":           {func(s *Spec) { s.Name = strings.Repeat("n", 1<<20) }, "name"},
		"no CPU":                         {func(s *Spec) { s.CPUs = 0 }, "cpus is 0"},
		"less than no CPU":               {func(s *Spec) { s.CPUs = -1 }, "cpus is -1"},
		"absurdly many CPUs":             {func(s *Spec) { s.CPUs = 1<<16 + 1 }, "cpus is 65537"},
		"no memory":                      {func(s *Spec) { s.MemoryMiB = 0 }, "memory is 0"},
		"absurdly much memory":           {func(s *Spec) { s.MemoryMiB = 1<<30 + 1 }, "memory is"},
		"too many interfaces":            {func(s *Spec) { s.Networks = make([]network.Request, MaxNICs+1) }, "network has 17 entries"},
		"secure boot without UEFI":       {func(s *Spec) { s.SecureBoot = true }, "secure_boot requires uefi"},
		"another config drive":           {func(s *Spec) { s.ConfigDrive = "floppy" }, `configdrive "floppy"`},
		"no config drive":                {func(s *Spec) { s.ConfigDrive = NoConfigDrive }, ""},
		"a long SSH key":                 {func(s *Spec) { s.SSHKey = strings.Repeat("k", maxSSHKey+1) }, "ssh_key has 16385 bytes"},
		"user data that is no base64":    {func(s *Spec) { s.UserData = "#cloud-config" }, "user_data is not base64"},
		"all the user data there can be": {func(s *Spec) { s.UserData = encoded(MaxUserData) }, ""},
		"the same in short lines that end as MIME's do": {func(s *Spec) {
			var b strings.Builder
			for part := range slices.Chunk([]byte(encoded(MaxUserData)), 64) {
				b.Write(append(part, '\r', '\n'))
			}
			s.UserData = b.String()
		}, ""},
		"more user data":           {func(s *Spec) { s.UserData = encoded(MaxUserData + 1) }, "user_data has 262145 bytes"},
		"much more user data":      {func(s *Spec) { s.UserData = encoded(4 * MaxUserData) }, "user_data is longer than 262144 bytes"},
		"an unknown video model":   {func(s *Spec) { s.Video.Model = "voodoo" }, `video model "voodoo"`},
		"an unknown VDI":           {func(s *Spec) { s.Video.VDI = "rdp" }, `video vdi "rdp"`},
		"less than no video":       {func(s *Spec) { s.Video.MemoryKiB = -1 }, "video memory is -1"},
		"too much video":           {func(s *Spec) { s.Video.MemoryKiB = maxVideoKiB + 1 }, "video memory is"},
		"a channel's bad name":     {func(s *Spec) { s.SideChannels = []string{"../x"} }, `side_channels has "../x"`},
		"a channel twice":          {func(s *Spec) { s.SideChannels = []string{"a", "b", "a"} }, `side_channels has "a" twice`},
		"too many channels":        {func(s *Spec) { s.SideChannels = names(17) }, "side_channels has 17 entries"},
		"many channels":            {func(s *Spec) { s.SideChannels = names(16) }, ""},
		"bad metadata":             {func(s *Spec) { s.Metadata = map[string]any{"tags": "x"} }, `"tags" key`},
		"no disk":                  {func(s *Spec) { s.Disks = nil }, "at least one disk"},
		"too many disks":           {func(s *Spec) { s.Disks = disks(MaxDisks+1, DiskSpec{SizeGiB: 1}) }, "disk has 33 entries"},
		"many disks":               {func(s *Spec) { s.Disks = disks(MaxDisks, DiskSpec{SizeGiB: 1}) }, ""},
		"a disk without a size":    {one(DiskSpec{}), "disk 1: a disk without a base needs a size"},
		"a disk of less than none": {one(DiskSpec{SizeGiB: -1}), "disk 1: size is -1"},
		"an absurd disk":           {one(DiskSpec{SizeGiB: maxDiskGiB + 1}), "disk 1: size is"},
		"an unknown bus":           {one(DiskSpec{SizeGiB: 1, Bus: "isa"}), "disk 1: invalid disk bus isa"},
		"an unknown type":          {one(DiskSpec{SizeGiB: 1, Type: "tape"}), `disk 1: type "tape"`},
		"a CD-ROM without a base":  {one(DiskSpec{SizeGiB: 1, Type: "cdrom"}), "disk 1: a cdrom needs a base"},
		"an endless base":          {one(DiskSpec{Base: strings.Repeat("x", maxBase+1)}), "disk 1: base has 4097 bytes"},
		"IDE beside secure boot":   {func(s *Spec) { s.UEFI, s.SecureBoot, s.Disks = true, true, disks(1, DiskSpec{SizeGiB: 1, Bus: "ide"}) }, "disk 0: disk bus ide needs machine type pc"},
		"IDE":                      {func(s *Spec) { s.Disks = disks(2, DiskSpec{SizeGiB: 1, Bus: "ide"}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := valid()
			c.change(&s)
			err := s.normalise("virtio")
			if c.text == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, fault.Text(err), c.text)
			require.Less(t, len(err.Error()), 500)
		})
	}
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("c", i)
	}
	return all
}

func TestDeviceNames(t *testing.T) {
	t.Parallel()
	for i, want := range map[int]string{0: "a", 25: "z", 26: "aa", 51: "az", 52: "ba", 701: "zz", 702: "aaa"} {
		require.Equal(t, want, letters(i))
	}
	for bus, want := range map[string]string{"virtio": "vdc", "ide": "hdc", "sata": "sdc", "scsi": "sdc", "usb": "sdc", "nvme": "nvme2"} {
		require.Equal(t, want, device(bus, 2))
	}
}

func TestTheTableOfMoves(t *testing.T) {
	t.Parallel()
	for from, to := range next {
		for _, s := range to {
			require.Contains(t, next, s, "%s moves to a state that is none", from)
		}
		if len(to) > 0 {
			require.Contains(t, to, Deleted, "%s can't be deleted", from)
		}
	}
	Next(Initial)[0] = "changed"
	require.NotEqual(t, State("changed"), Next(Initial)[0], "the table is the caller's to change")
	require.Empty(t, Next(Deleted))
}
