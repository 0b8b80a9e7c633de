package simhv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// checkFiles reports, as a fault.NotFound, the first file that dom cannot start without, and, as a fault.Conflict, that a
// disk is held.
func checkFiles(dom hypervisor.Domain) error {
	const op = "simhv.Start"
	for _, disk := range dom.Disks {
		for _, path := range append([]string{disk.Path}, disk.Backing...) {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return fault.New(op, fault.NotFound, dom.ID, "disk %s cannot be attached: %s is not there", disk.Device, path)
			} else if err != nil {
				return fault.Because(op, fault.Internal, dom.ID, err, "disk %s cannot be attached", disk.Device)
			}
		}
		if _, err := os.Stat(disk.Path + hypervisor.HeldSuffix); err == nil && !disk.ReadOnly && !disk.CDROM {
			return fault.New(op, fault.Conflict, dom.ID, "disk %s is held: what the guest wrote last must be merged first", disk.Device)
		}
	}
	return nil
}

// writeConsole appends what the guest dom says while it boots for the n-th time to its console log, and makes its UEFI
// variables if it has none yet.
func writeConsole(dom hypervisor.Domain, n int) error {
	const op = "simhv.Start"
	if dom.UEFI && dom.NVRAM != "" {
		if err := appendTo(dom.NVRAM, ""); err != nil {
			return fault.Because(op, fault.Internal, dom.ID, err, "the UEFI variables cannot be written")
		}
	}
	if dom.ConsoleLog == "" {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SIM-BOOT %d %s vcpus=%d memory=%dMiB machine=%s uefi=%t\r\n", n, dom.ID, dom.VCPUs, dom.MemoryMiB, dom.Machine, dom.UEFI)
	for _, d := range dom.Disks {
		fmt.Fprintf(&b, "SIM-DISK %s bus=%s cdrom=%t\r\n", d.Device, d.Bus, d.CDROM)
	}
	for i, nic := range dom.NICs {
		fmt.Fprintf(&b, "SIM-NET eth%d mac=%s bridge=%s mtu=%d\r\n", i, nic.MAC, nic.Bridge, nic.MTU)
	}
	fmt.Fprintf(&b, "SIM-READY %s\r\n", dom.Name)
	if err := appendTo(dom.ConsoleLog, b.String()); err != nil {
		return fault.Because(op, fault.Internal, dom.ID, err, "the console log cannot be written")
	}
	return nil
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
