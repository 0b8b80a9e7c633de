package instance

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/network"
)

// Spec asks for an instance. Its JSON is part of the store's records.
type Spec struct {
	Name      string `json:"name"` // one DNS label
	Namespace string `json:"namespace"`
	CPUs      int    `json:"cpus"`       // vCPUs, at least 1
	MemoryMiB int    `json:"memory_mib"` // at least 1

	Disks    []DiskSpec        `json:"disks"` // at least one
	Networks []network.Request `json:"-"`     // kept as interfaces

	SSHKey       string         `json:"ssh_key,omitempty"`
	UserData     string         `json:"user_data,omitempty"` // base64; at most MaxUserData bytes decoded
	PlacedOn     string         `json:"placed_on,omitempty"` // the only node to consider; "" for any
	Video        Video          `json:"video"`
	UEFI         bool           `json:"uefi,omitempty"`
	SecureBoot   bool           `json:"secure_boot,omitempty"` // needs UEFI
	ConfigDrive  string         `json:"config_drive"`          // "openstack-disk" or "none"; "" means the former
	SideChannels []string       `json:"side_channels"`         // virtio-serial ports; nil means "sf-agent", empty none
	Metadata     map[string]any `json:"-"`                     // kept beside the record

	// NVRAMTemplate is what the firmware's variables begin as: the UUID of a blob or, when it is asked for, also anything that
	// a disk can have for its base but a URL. "" means the firmware's own. It needs UEFI.
	NVRAMTemplate string `json:"nvram_template,omitempty"`
	// Caller is the namespace as which labels and other artifacts are looked up; "" means Namespace.
	Caller string `json:"-"`
}

// DiskSpec asks for a disk.
type DiskSpec struct {
	SizeGiB int    `json:"size_gib"` // 0 for the size of the base
	Base    string `json:"base"`     // URL of an image, or what artifact.Manager.Resolve knows; "" or "none" for a blank disk
	Bus     string `json:"bus"`      // "" for the node's default
	Type    string `json:"type"`     // "disk" or "cdrom"; "" means the former
}

// Video is a graphics card.
type Video struct {
	Model     string `json:"model"`      // "" for cirrus
	MemoryKiB int    `json:"memory_kib"` // 0 for 16384
	VDI       string `json:"vdi"`        // "spice", "spiceconcurrent" or "vnc"; "" for spice
}

// Limits of one instance, so that everything about it fits into one commit.
const (
	MaxDisks    = 32
	MaxNICs     = 16
	MaxUserData = 256 << 10 // bytes, decoded
	maxSSHKey   = 16 << 10  // bytes
	maxDiskGiB  = 1 << 20
	maxBase     = 4096 // bytes
	maxVideoKiB = 1 << 20
)

// The kinds of config drive.
const (
	OpenStackDisk = "openstack-disk"
	NoConfigDrive = "none"
)

var (
	dnsLabel    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	channelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	buses       = []string{"virtio", "sata", "scsi", "usb", "nvme", "ide"}
	videoModels = []string{"cirrus", "vga", "qxl", "virtio"}
	vdis        = []string{"spice", "spiceconcurrent", "vnc"}
)

func invalid(format string, args ...any) error {
	return fault.New("instance.Create", fault.Invalid, "", format, args...)
}

// normalise fills in defaults and fails with fault.Invalid, naming the field, if the spec can't be met anywhere.
func (s *Spec) normalise(defaultBus string) error {
	for _, check := range []func() error{s.checkSize, s.checkFirmware, s.checkConfig, func() error { return s.checkDisks(defaultBus) }, s.checkVideo} {
		if err := check(); err != nil {
			return err
		}
	}
	return metadata.Validate("instance", s.Metadata)
}

func (s *Spec) checkSize() error {
	switch {
	case !dnsLabel.MatchString(s.Name):
		return invalid("name %.80q is not a host name: use 1 to 63 letters, digits and hyphens, no dots, beginning and ending with a letter or digit", s.Name)
	case s.CPUs < 1:
		return invalid("cpus is %d and must be at least 1", s.CPUs)
	case s.MemoryMiB < 1:
		return invalid("memory is %d MiB and must be at least 1", s.MemoryMiB)
	case s.CPUs > 1<<16:
		return invalid("cpus is %d and can be at most %d", s.CPUs, 1<<16)
	case s.MemoryMiB > 1<<30:
		return invalid("memory is %d MiB and can be at most %d", s.MemoryMiB, 1<<30)
	case len(s.Networks) > MaxNICs:
		return invalid("network has %d entries, at most %d are allowed", len(s.Networks), MaxNICs)
	}
	return nil
}

func (s *Spec) checkFirmware() error {
	switch {
	case s.SecureBoot && !s.UEFI:
		return invalid("secure_boot requires uefi")
	case s.NVRAMTemplate != "" && !s.UEFI:
		return invalid("nvram_template requires uefi")
	case len(s.NVRAMTemplate) > maxBase:
		return invalid("nvram_template has %d bytes, at most %d are allowed", len(s.NVRAMTemplate), maxBase)
	}
	return nil
}

// machine is the machine type that the firmware asks for.
func (s *Spec) machine() string {
	if s.SecureBoot {
		return "q35"
	}
	return "pc"
}

func (s *Spec) checkConfig() error {
	if s.ConfigDrive == "" {
		s.ConfigDrive = OpenStackDisk
	}
	if s.ConfigDrive != OpenStackDisk && s.ConfigDrive != NoConfigDrive {
		return invalid("configdrive %.40q is not known: use %s or %s", s.ConfigDrive, OpenStackDisk, NoConfigDrive)
	}
	if len(s.SSHKey) > maxSSHKey {
		return invalid("ssh_key has %d bytes, at most %d are allowed", len(s.SSHKey), maxSSHKey)
	}
	if _, err := s.userData(); err != nil {
		return err
	}
	if s.SideChannels == nil {
		s.SideChannels = []string{"sf-agent"}
	}
	for i, c := range s.SideChannels {
		if !channelName.MatchString(c) {
			return invalid("side_channels has %.40q: a name is 1 to 32 letters, digits, dots, underscores and hyphens", c)
		}
		if slices.Contains(s.SideChannels[:i], c) {
			return invalid("side_channels has %q twice", c)
		}
	}
	if len(s.SideChannels) > 16 {
		return invalid("side_channels has %d entries, at most 16 are allowed", len(s.SideChannels))
	}
	return nil
}

// userData returns the decoded user data.
func (s *Spec) userData() ([]byte, error) {
	if len(s.UserData) > base64.StdEncoding.EncodedLen(MaxUserData)+MaxUserData/16 { // room for line ends
		return nil, invalid("user_data is longer than %d bytes decoded", MaxUserData)
	}
	// Encoders break lines differently; white space carries nothing.
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s.UserData), ""))
	if err != nil {
		return nil, invalid("user_data is not base64: %v", err)
	}
	if len(data) > MaxUserData {
		return nil, invalid("user_data has %d bytes, at most %d are allowed", len(data), MaxUserData)
	}
	return data, nil
}

func (s *Spec) checkVideo() error {
	if s.Video.Model == "" {
		s.Video.Model = "cirrus"
	}
	if s.Video.MemoryKiB == 0 {
		s.Video.MemoryKiB = 16384
	}
	if s.Video.VDI == "" {
		s.Video.VDI = "spice"
	}
	switch v := s.Video; {
	case !slices.Contains(videoModels, v.Model):
		return invalid("video model %.40q is not known: use one of %s", v.Model, strings.Join(videoModels, ", "))
	case !slices.Contains(vdis, v.VDI):
		return invalid("video vdi %.40q is not known: use one of %s", v.VDI, strings.Join(vdis, ", "))
	case v.MemoryKiB < 0 || v.MemoryKiB > maxVideoKiB:
		return invalid("video memory is %d KiB and must be between 1 and %d", v.MemoryKiB, maxVideoKiB)
	}
	return nil
}

func (s *Spec) checkDisks(defaultBus string) error {
	if len(s.Disks) == 0 {
		return invalid("instance must specify at least one disk")
	}
	if len(s.Disks) > MaxDisks {
		return invalid("disk has %d entries, at most %d are allowed", len(s.Disks), MaxDisks)
	}
	s.Disks = slices.Clone(s.Disks)
	for i := range s.Disks {
		if err := s.Disks[i].check(i, s.machine(), defaultBus); err != nil {
			return err
		}
	}
	return nil
}

func (d *DiskSpec) check(i int, machine, defaultBus string) error {
	if strings.EqualFold(d.Base, "none") {
		d.Base = ""
	}
	if d.Type == "" {
		d.Type = "disk"
	}
	bus := d.Bus
	if bus == "" {
		bus = defaultBus
	}
	switch {
	case d.Type != "disk" && d.Type != "cdrom":
		return invalid("disk %d: type %.40q is not known: use disk or cdrom", i, d.Type)
	case !slices.Contains(buses, bus):
		return invalid("disk %d: invalid disk bus %.40s: use one of %s", i, bus, strings.Join(buses, ", "))
	case bus == "ide" && machine != "pc":
		return invalid("disk %d: disk bus ide needs machine type pc, this instance has %s because of secure_boot", i, machine)
	case d.SizeGiB < 0 || d.SizeGiB > maxDiskGiB:
		return invalid("disk %d: size is %d GiB and must be between 1 and %d", i, d.SizeGiB, maxDiskGiB)
	case d.Base == "" && d.SizeGiB == 0:
		return invalid("disk %d: a disk without a base needs a size", i)
	case d.Base == "" && d.Type == "cdrom":
		return invalid("disk %d: a cdrom needs a base", i)
	case len(d.Base) > maxBase:
		return invalid("disk %d: base has %d bytes, at most %d are allowed", i, len(d.Base), maxBase)
	}
	return nil
}
