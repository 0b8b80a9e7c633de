package blob

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// humbly runs f in a thread that gets the disk and the processors only when nobody else wants them.
func humbly(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread ends with the goroutine, for it is never unlocked: nobody else inherits what follows.
		runtime.LockOSThread()
		const whoProcess, idle, lowest = 1, 3 << 13, 19
		// Where the kernel knows no such priority, the rests between reads have to do.
		_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, 0, idle)
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, lowest)
		done <- f()
	}()
	return <-done
}

// forgetPages has the kernel drop what it keeps of a part of a file: what is read only to see whether the disk still has it
// should come from there, and push nobody else's out of memory.
func forgetPages(f *os.File, at, n int64) {
	_ = unix.Fadvise(int(f.Fd()), at, n, unix.FADV_DONTNEED) // only a hint
}
