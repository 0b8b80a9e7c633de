package blob

import (
	"bytes"
	"os"
)

const (
	holeBytes   = 64 << 10 // zeroes are left out in blocks of this size
	roomEvery   = 64 << 20 // bytes written between two looks at the free space, at most
	behindBytes = 8 << 20  // as much is sent to the disk at a time
	cachedBytes = 1 << 30  // as much of a file may stay in memory: it is read again soon
)

// sparseFile writes content to an empty file from its beginning to its end. Blocks of zeroes become holes, so that a disk
// that is mostly empty takes no room. What is written is sent to the disk all along, so that the sync at the end is short
// and the host's memory does not fill with what nobody reads. It says what to do when the disk is full, and stops before
// it takes what is reserved.
type sparseFile struct {
	file  *os.File
	spare func(size int64) (int64, error) // fails if the disk must not take size more bytes, and returns how many it may

	size    int64 // bytes so far, holes included
	left    int64 // bytes that may be written before the next look
	started int64 // up to here the disk was told to write
	waited  int64 // and up to here it has
}

// Write appends b.
func (s *sparseFile) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, zero := run(b[done:])
		if !zero {
			if err := s.put(b[done : done+n]); err != nil {
				return done, err
			}
		}
		s.size += int64(n)
		done += n
	}
	s.writeBehind()
	return done, nil
}

// run returns how many bytes b begins with that are, in whole blocks, all zero or all not.
func run(b []byte) (n int, zero bool) {
	for n < len(b) {
		block := b[n:min(n+holeBytes, len(b))]
		if z := isZero(block); n == 0 {
			zero = z
		} else if z != zero {
			break
		}
		n += len(block)
	}
	return n, zero
}

// isZero compares a block with itself, shifted by one: nothing compares memory faster.
func isZero(b []byte) bool { return b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }

func (s *sparseFile) put(b []byte) error {
	n := int64(len(b))
	if s.left < n {
		spare, err := s.spare(n)
		if err != nil {
			return err
		}
		s.left = min(spare, roomEvery)
	}
	s.left -= n
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		return diskError(s.file.Name(), err)
	}
	return nil
}

// writeBehind has the disk begin with what was written, and waits for what it began with a while ago. It only makes the
// sync at the end shorter: what fails here fails there.
func (s *sparseFile) writeBehind() {
	if s.size-s.started < behindBytes {
		return
	}
	flush(s.file, s.started, s.size-s.started)
	s.started = s.size
	if from, n := s.waited, s.started-4*behindBytes-s.waited; n > 0 {
		flushed(s.file, from, n)
		if from >= cachedBytes {
			forget(s.file, from, n)
		}
		s.waited += n
	}
}

// whole gives the file its size, which a hole at the end has not.
func (s *sparseFile) whole() error {
	if err := s.file.Truncate(s.size); err != nil {
		return diskError(s.file.Name(), err)
	}
	return nil
}
