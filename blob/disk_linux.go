package blob

import (
	"os"

	"golang.org/x/sys/unix"
)

// flush has the disk begin to write n bytes of a file at an offset. These three are advice: what fails here fails again,
// and is told, when the file is synced.
func flush(f *os.File, from, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, n, unix.SYNC_FILE_RANGE_WRITE)
}

// flushed waits until the disk has them.
func flushed(f *os.File, from, n int64) {
	const wait = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	_ = unix.SyncFileRange(int(f.Fd()), from, n, wait)
}

// forget gives their memory back, once the disk has them.
func forget(f *os.File, from, n int64) {
	_ = unix.Fadvise(int(f.Fd()), from, n, unix.FADV_DONTNEED)
}
