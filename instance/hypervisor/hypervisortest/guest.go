package hypervisortest

// GuestReady is what the guest of GuestImage writes to its first serial port.
const GuestReady = "GUEST-READY\r\n"

// GuestImage returns a raw disk image of 1 MiB with a whole operating system in its boot sector: on a PC with BIOS it
// writes GuestReady to the first serial port, waits for a key, and then powers the machine off.
func GuestImage() []byte {
	code := []byte{
		0x31, 0xc0, //             xor  ax, ax
		0x8e, 0xd8, //             mov  ds, ax
		0xbe, 0x00, 0x7c, //       mov  si, 0x7c00 + len(code), filled in below
		0xba, 0xf8, 0x03, //       mov  dx, 0x3f8      the first serial port
		0xac,       //       next: lodsb
		0x84, 0xc0, //             test al, al
		0x74, 0x03, //             jz   wait
		0xee,       //             out  dx, al
		0xeb, 0xf8, //             jmp  next
		0x31, 0xc0, //       wait: xor  ax, ax
		0xcd, 0x16, //             int  0x16           the BIOS waits for a key
		0xba, 0x04, 0x06, //       mov  dx, 0x604      QEMU's ACPI power management register
		0xb8, 0x00, 0x20, //       mov  ax, 0x2000     sleep enable, type soft off
		0xef,       //             out  dx, ax
		0xfa,       //       halt: cli
		0xf4,       //             hlt
		0xeb, 0xfc, //             jmp  halt
	}
	code[5] = byte(len(code)) //nolint:gosec // 33
	image := make([]byte, 1<<20)
	n := copy(image, code)
	copy(image[n:], GuestReady)
	image[510], image[511] = 0x55, 0xaa
	return image
}
