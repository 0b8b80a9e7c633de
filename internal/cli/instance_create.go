package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// littleMemory is the memory in MiB below which a typing error is more likely than intent.
const littleMemory = 128

// creation is what the flags of instance create say.
type creation struct {
	networks, floated, networkSpecs []string
	disks, diskSpecs                []string
	sshKeyFile, sshKey              string
	userDataFile, userData          string
	placement, video, configDrive   string
	namespace, nvram                string
	uefi, secureBoot, force, dryRun bool
	metadata, sideChannels          []string
}

func (a *app) instanceCreate() *cobra.Command {
	var n creation
	cmd := a.leaf(leaf{
		use: "create NAME CPUS MEMORY", short: "Create an instance",
		long: "MEMORY is in MiB. At least one disk is needed; the first one is the root disk. Interfaces come in the order floated, " +
			"network, networkspec, disks in the order disk, diskspec. The base of a disk is the URL of an image or a shorthand such as debian:12; " +
			"label:NAME; or what the cloud has as sf://upload/NAMESPACE/NAME, sf://snapshot/ARTIFACT, sf://instance/UUID/DEVICE or sf://blob/UUID.\n\nUnless --async is continue, this waits until the instance is " +
			"made, and fails if it can't be.",
		example: `sf-client instance create web1 1 1024 -d 8@debian:12 -n net1
sf-client instance create web2 2 2048 -d 20@debian:12 -d 50 -n net1@10.0.0.9 -i ~/.ssh/id_ed25519.pub -u cloud-init.yaml
sf-client instance create web4 1 1024 -d 8@label:tested -n net1
sf-client --async block instance create db1 4 8192 -D size=40,base=debian:12,bus=scsi -N network_uuid=net1,model=e1000
sf-client instance create web3 1 1024 -d 8@debian:12 -m 'tags=["web"]' -m 'affinity={"web":-1}'
sf-client instance create big1 32 65536 -d 400 --dry-run`,
		flags: n.flags, waits: true,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			r, err := n.request(args)
			if err != nil {
				return err
			}
			if n.dryRun {
				return a.dryRun(ctx, c.In(n.namespace), r)
			}
			i, err := c.In(n.namespace).CreateInstance(ctx, r)
			if err != nil {
				return err
			}
			return a.instanceMade(ctx, c, i)
		},
	})
	for name, f := range map[string]completer{"network": networkNames, "floated": networkNames, "placement": nodeNames} {
		mustComplete(cmd, name, a.flagCompletion(f))
	}
	mustComplete(cmd, "configdrive", cobra.FixedCompletions([]string{"openstack-disk", "none"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (n *creation) flags(f *pflag.FlagSet) {
	f.StringArrayVarP(&n.networks, "network", "n", nil, "attach NETWORK[@ADDRESS]; may be repeated")
	f.StringArrayVarP(&n.floated, "floated", "f", nil, "attach NETWORK[@ADDRESS] with a floating address; may be repeated")
	f.StringArrayVarP(&n.networkSpecs, "networkspec", "N", nil, "attach a network by network_uuid=…,address=…,macaddress=…,model=…,float=…; may be repeated")
	f.StringArrayVarP(&n.disks, "disk", "d", nil, "add a disk SIZE[@BASE], in GiB; may be repeated")
	f.StringArrayVarP(&n.diskSpecs, "diskspec", "D", nil, "add a disk by size=…,base=…,bus=…,type=…; may be repeated")
	f.StringVarP(&n.sshKeyFile, "sshkey", "i", "", "file with an SSH public key, for the config drive")
	f.StringVarP(&n.sshKey, "sshkeydata", "I", "", "SSH public key, for the config drive")
	f.StringVarP(&n.userDataFile, "userdata", "u", "", "file with user data, for the config drive")
	f.StringVarP(&n.userData, "encodeduserdata", "U", "", "user data in base64, for the config drive")
	f.StringVarP(&n.placement, "placement", "p", "", "node to place the instance on")
	f.StringVarP(&n.video, "videospec", "V", "", "video card by model=…,memory=…,vdi=… (default model=cirrus,memory=16384,vdi=spice)")
	f.StringVar(&n.configDrive, "configdrive", "openstack-disk", "kind of config drive: openstack-disk or none")
	choose(f, &n.uefi, false, "bios", "boot by BIOS (the default)")
	choose(f, &n.uefi, true, "uefi", "boot by UEFI")
	choose(f, &n.secureBoot, false, "no-secure-boot", "do not check signatures when booting (the default)")
	choose(f, &n.secureBoot, true, "secure-boot", "check signatures when booting; implies UEFI")
	f.StringVar(&n.nvram, "nvram-template", "", "label or blob UUID whose content the UEFI variables start from")
	f.BoolVar(&n.force, "force", false, fmt.Sprintf("allow less than %d MiB of memory", littleMemory))
	f.BoolVar(&n.dryRun, "dry-run", false, "make nothing, and list what the scheduler says of each node; exit code 1 if none can take it")
	f.StringArrayVarP(&n.metadata, "metadata", "m", nil, "metadata as key=value, JSON for the keys tags and affinity; may be repeated")
	f.StringArrayVarP(&n.sideChannels, "side-channel", "s", nil, "add a side channel, such as sf-agent; may be repeated")
	namespaceFlag(f, &n.namespace)
}

// request returns the body of the request. It always says everything, so that the defaults are those of this program.
func (n *creation) request(args []string) (api.CreateInstance, error) {
	r := api.CreateInstance{
		Name: args[0], UEFI: n.uefi || n.secureBoot, SecureBoot: n.secureBoot, PlacedOn: n.placement,
		SideChannels: append([]string{}, n.sideChannels...), // an empty list, and not null, means none
	}
	for _, fill := range []func(*api.CreateInstance) error{n.hardware(args), n.network, n.disk, n.guestData} {
		if err := fill(&r); err != nil {
			return r, err
		}
	}
	if n.nvram != "" {
		r.NVRAMTemplate = &n.nvram
	}
	return r, nil
}

func (n *creation) hardware(args []string) func(r *api.CreateInstance) error {
	return func(r *api.CreateInstance) error {
		var err error
		if r.CPUs, err = strconv.Atoi(args[1]); err != nil || r.CPUs < 1 {
			return usageError{fmt.Sprintf("CPUS is %q; want a whole number of at least 1", args[1])}
		}
		if r.Memory, err = strconv.Atoi(args[2]); err != nil || r.Memory < 1 {
			return usageError{fmt.Sprintf("MEMORY is %q; want a whole number of MiB", args[2])}
		}
		if r.Memory < littleMemory && !n.force {
			return failed("%d MiB of memory is very little; use --force if this is meant, and mind that MEMORY is in MiB", r.Memory)
		}
		video, err := parseVideo(n.video)
		r.Video = &video
		return err
	}
}

func (n *creation) network(r *api.CreateInstance) error {
	floated, err := parseAll(n.floated, func(text string) (api.NetworkSpec, error) { return parseNetwork(text, true) })
	if err != nil {
		return err
	}
	networks, err := parseAll(n.networks, func(text string) (api.NetworkSpec, error) { return parseNetwork(text, false) })
	if err != nil {
		return err
	}
	specs, err := parseAll(n.networkSpecs, parseNetworkSpec)
	r.Network = slices.Concat(floated, networks, specs)
	return err
}

func (n *creation) disk(r *api.CreateInstance) error {
	disks, err := parseAll(n.disks, parseDisk)
	if err != nil {
		return err
	}
	specs, err := parseAll(n.diskSpecs, parseDiskSpec)
	if err != nil {
		return err
	}
	if r.Disk = slices.Concat(disks, specs); len(r.Disk) == 0 {
		return usageError{"an instance needs at least one disk, such as -d 8@debian:12"}
	}
	return nil
}

// guestData sets what the guest finds on its config drive, and the metadata.
func (n *creation) guestData(r *api.CreateInstance) error {
	drive := strings.ToLower(n.configDrive)
	if drive != "openstack-disk" && drive != "none" {
		return usageError{fmt.Sprintf("--configdrive %q: want openstack-disk or none", n.configDrive)}
	}
	r.ConfigDrive = &drive
	if n.sshKeyFile != "" {
		b, err := os.ReadFile(n.sshKeyFile)
		if err != nil {
			return failed("Cannot read the SSH key: %v", err)
		}
		r.SSHKey = new(string(b))
	}
	if n.sshKey != "" {
		r.SSHKey = &n.sshKey
	}
	if n.userDataFile != "" {
		b, err := os.ReadFile(n.userDataFile)
		if err != nil {
			return failed("Cannot read the user data: %v", err)
		}
		r.UserData = new(base64.StdEncoding.EncodeToString(b))
	}
	if n.userData != "" {
		if _, err := base64.StdEncoding.DecodeString(n.userData); err != nil {
			return usageError{fmt.Sprintf("--encodeduserdata is not base64: %v", err)}
		}
		r.UserData = &n.userData
	}
	var err error
	r.Metadata, err = parseMetadata(n.metadata)
	return err
}
