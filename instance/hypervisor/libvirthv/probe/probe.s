# The boot sector that proves an accelerator: it goes from real to long mode with paging on, takes 50 interrupts of a
# timer, executes CPUID, and writes 0x2a to QEMU's isa-debug-exit device, which ends QEMU with code 0x2a * 2 + 1.
#
#	as --64 -o probe.o probe.s && ld -Ttext 0x7c00 --oformat binary -o probe.bin probe.o

.code16
.globl _start
_start:
	cli
	xor %ax,%ax
	mov %ax,%ds
	mov %ax,%es
	mov %ax,%ss
	mov $0x7c00,%sp
	# page tables at 0x1000: PML4 -> 0x2000 PDPT -> 0x3000 PD: one 2 MiB page
	mov $0x1000,%edi
	mov %edi,%cr3
	xor %eax,%eax
	mov $3072,%ecx
	rep stosl
	movw $0x2003,0x1000
	movw $0x3003,0x2000
	movw $0x0083,0x3000
	# IDT gate for vector 0x20 at 0x4000+0x200
	mov $0x4000,%edi
	mov $1024,%ecx
	xor %eax,%eax
	rep stosl
	movw $tick,0x4200
	movw $8,0x4202
	movw $0x8e00,0x4204
	# long mode
	mov $0xa0,%eax
	mov %eax,%cr4
	mov $0xc0000080,%ecx
	rdmsr
	or $0x100,%ax
	wrmsr
	lgdt gdtr
	mov %cr0,%eax
	or $0x80000001,%eax
	mov %eax,%cr0
	ljmp $8,$long
.code64
long:
	lidt idtr
	# PICs: master to 0x20, only the timer open
	mov $0x11,%al
	out %al,$0x20
	out %al,$0xa0
	mov $0x20,%al
	out %al,$0x21
	mov $0x28,%al
	out %al,$0xa1
	mov $4,%al
	out %al,$0x21
	mov $2,%al
	out %al,$0xa1
	mov $1,%al
	out %al,$0x21
	out %al,$0xa1
	mov $0xfe,%al
	out %al,$0x21
	mov $0xff,%al
	out %al,$0xa1
	# PIT channel 0, mode 2, 1193 -> 1 ms
	mov $0x34,%al
	out %al,$0x43
	mov $0xa9,%al
	out %al,$0x40
	mov $4,%al
	out %al,$0x40
	xor %ebx,%ebx
	sti
wait:
	hlt
	cmp $50,%ebx
	jb wait
	xor %eax,%eax
	cpuid
	mov $0x2a,%al
	out %al,$0xf4
1: hlt
	jmp 1b
tick:
	push %rax
	inc %ebx
	mov $0x20,%al
	out %al,$0x20
	pop %rax
	iretq
.align 8
gdt: .quad 0
 .quad 0x00209a0000000000
gdtr: .word 15
 .long gdt
idtr: .word 0x7ff
 .quad 0x4000
