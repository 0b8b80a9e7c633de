package blob

import (
	"io"
	"time"
)

// MaxBytes is the size of the largest content that Limits allow unless told otherwise: 256 GiB.
const MaxBytes = int64(256) << 30

func (l Limits) bytes() int64 {
	if l.Bytes > 0 {
		return l.Bytes
	}
	return MaxBytes
}

// Fits fails with fault.Invalid if an image of size bytes, as it is sent or unpacked, is larger than one that comes from outside
// may be. Less than 0 is an unknown size, which fits. Begin asks it; IngestFile does not, for disks of guests may be larger.
func (m *Manager) Fits(size int64) error {
	if limit := m.Limits.bytes(); size > limit {
		return errTooLarge(limit)
	}
	return nil
}

// Kind says what content is good for.
type Kind string

// The kinds of content.
const (
	Image Kind = ""      // a disk or a CD-ROM, in whatever format the header guard finds
	Other Kind = "other" // anything; nothing is known of it but its size, its checksums and a MIME type
)

// Content is what Begin, Ingest and IngestFile store.
type Content struct {
	Reader   io.Reader
	Size     int64     // bytes there must be, as they are sent; -1 if nobody knows
	Modified time.Time // when the source says it was changed; zero if it doesn't
	ID       string    // UUID that the blob shall have; "" for a new one
	Kind     Kind
	Sum      Sum    // what the source says of the bytes as they are sent; zero if it doesn't
	Base     string // the blob beneath it, by whose ID the header must name it; "" if it is whole by itself

	gently bool // IngestFile reads the file as slowly as copies are verified
}

// Sum is a checksum that the source of content gives for it.
type Sum struct {
	Algorithm string // md5, sha1, sha256, sha512 or xxh128
	Hex       string // in either case
}

// Stored is content that lies whole and checked on this node's disk. No blob is known to be there yet: Record does that.
// Size and checksums are those of what lies on the disk, unpacked if it came packed.
type Stored struct {
	ID        string
	Size      int64 // bytes
	Modified  time.Time
	FetchedAt time.Time
	Checksums
	Kind  Kind
	Base  string // the blob beneath it; "" if it is whole by itself
	Facts Facts

	release func() // may be called any number of times
}

// Done ends the protection of the file: it stays if a commit made it a blob, and is removed otherwise. Whoever ingests
// calls it, also when the commit failed. Calling it twice is success.
func (s *Stored) Done() { s.release() }
