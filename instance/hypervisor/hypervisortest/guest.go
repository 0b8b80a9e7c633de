package hypervisortest

// GuestReady is what the guest of GuestImage writes to its first serial port when it has booted, and GuestWrote what it
// writes there when it has written to its disk.
const (
	GuestReady = "GUEST-READY\r\n"
	GuestWrote = "."
)

// GuestSector is the sector of 512 bytes of its disk whose first byte counts how often the guest of GuestImage wrote.
const GuestSector = 1

// GuestImage returns a raw disk image of 1 MiB with a whole operating system in its boot sector: on a PC with BIOS it
// writes GuestReady to the first serial port and waits for keys. At a "w" it adds 1 to the first byte of GuestSector and
// writes GuestWrote; at any other key it powers the machine off.
func GuestImage() []byte {
	code := []byte{
		0x31, 0xc0, //             xor  ax, ax
		0x8e, 0xd8, //             mov  ds, ax
		0x8e, 0xc0, //             mov  es, ax
		0xbe, 0x00, 0x7c, //       mov  si, 0x7c00 + len(code), filled in below
		0xba, 0xf8, 0x03, //       mov  dx, 0x3f8      the first serial port
		0xac,       //       next: lodsb
		0x84, 0xc0, //             test al, al
		0x74, 0x03, //             jz   wait
		0xee,       //             out  dx, al
		0xeb, 0xf8, //             jmp  next
		0x31, 0xc0, //       wait: xor  ax, ax
		0xcd, 0x16, //             int  0x16           the BIOS waits for a key
		0x3c, 'w', //              cmp  al, 'w'
		0x75, 0x25, //             jne  off
		0xb8, 0x01, 0x02, //       mov  ax, 0x0201     read one sector
		0xbb, 0x00, 0x7e, //       mov  bx, 0x7e00     to here
		0xb9, 0x02, 0x00, //       mov  cx, 2          cylinder 0, sector 2, which is number 1
		0xba, 0x80, 0x00, //       mov  dx, 0x80       of head 0 of the first disk
		0xcd, 0x13, //             int  0x13
		0xfe, 0x06, 0x00, 0x7e, // inc  byte [0x7e00]
		0xb8, 0x01, 0x03, //       mov  ax, 0x0301     write it back
		0xb9, 0x02, 0x00, //       mov  cx, 2
		0xba, 0x80, 0x00, //       mov  dx, 0x80
		0xcd, 0x13, //             int  0x13
		0xba, 0xf8, 0x03, //       mov  dx, 0x3f8
		0xb0, GuestWrote[0], //    mov  al, '.'
		0xee,       //             out  dx, al
		0xeb, 0xd3, //             jmp  wait
		0xba, 0x04, 0x06, // off:  mov  dx, 0x604      QEMU's ACPI power management register
		0xb8, 0x00, 0x20, //       mov  ax, 0x2000     sleep enable, type soft off
		0xef,       //             out  dx, ax
		0xfa,       //       halt: cli
		0xf4,       //             hlt
		0xeb, 0xfc, //             jmp  halt
	}
	code[7] = byte(len(code)) //nolint:gosec // fewer than 100
	image := make([]byte, 1<<20)
	n := copy(image, code)
	copy(image[n:], GuestReady)
	image[510], image[511] = 0x55, 0xaa
	return image
}
