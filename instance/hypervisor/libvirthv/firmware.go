package libvirthv

import (
	"os"

	"github.com/shakenfist/shakenfist/fault"
)

// firmwares lists where distributions have UEFI firmware for PCs: code and template of the variables. The first pair
// that is there is used. All support system management mode where secure is set, and have Microsoft's keys enrolled.
func firmwares(secure bool) [][2]string {
	if secure {
		return [][2]string{
			{"/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"},
			{"/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"},
			{"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"},
		}
	}
	return [][2]string{
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
		{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	}
}

// installedFirmware returns the firmware of this host. It fails with fault.Invalid if there is none.
func installedFirmware(secure bool) (code, vars string, err error) {
	for _, f := range firmwares(secure) {
		if there(f[0]) && there(f[1]) {
			return f[0], f[1], nil
		}
	}
	return "", "", fault.New("libvirthv.Define", fault.Invalid, "",
		"this host has no UEFI firmware (secure boot: %t); on Debian: apt-get install ovmf", secure)
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
