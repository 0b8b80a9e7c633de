package blob

import (
	"crypto/md5"  //nolint:gosec // some mirrors offer nothing better, and it only tells damage
	"crypto/sha1" //nolint:gosec // people look content up by it; nothing relies on it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/shakenfist/shakenfist/fault"
)

// The algorithms that checksums are made by.
const (
	SHA512 = "sha512"
	SHA256 = "sha256"
	SHA1   = "sha1"
	XXH128 = "xxh128"
	md5Sum = "md5" // only to check what a source says
)

// Checksums are those of one content, in lower-case hex.
type Checksums struct {
	SHA512 string
	SHA256 string
	SHA1   string
	XXH128 string
}

// By returns the checksum made by an algorithm, "" if there is none such.
func (c Checksums) By(algorithm string) string {
	switch algorithm {
	case SHA512:
		return c.SHA512
	case SHA256:
		return c.SHA256
	case SHA1:
		return c.SHA1
	case XXH128:
		return c.XXH128
	}
	return ""
}

// hashes makes all checksums of one content.
type hashes struct {
	sha512, sha256, sha1 hash.Hash
	xxh128               *xxh3.Hasher128
}

func newHashes() hashes {
	return hashes{sha512.New(), sha256.New(), sha1.New(), xxh3.New128()} //nolint:gosec // see its import
}

func (h hashes) all() []hash.Hash { return []hash.Hash{h.sha512, h.sha256, h.sha1, h.xxh128} }

func (h hashes) sums() Checksums {
	return Checksums{SHA512: sumOf(h.sha512), SHA256: sumOf(h.sha256), SHA1: sumOf(h.sha1), XXH128: sumOf(h.xxh128)}
}

func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// newHash returns the hash of an algorithm that a source may give a checksum by.
func newHash(algorithm string) (hash.Hash, bool) {
	switch algorithm {
	case SHA512:
		return sha512.New(), true
	case SHA256:
		return sha256.New(), true
	case SHA1:
		return sha1.New(), true //nolint:gosec // see its import
	case XXH128:
		return xxh3.New128(), true
	case md5Sum:
		return md5.New(), true //nolint:gosec // see its import
	}
	return nil, false
}

// check refuses a checksum that cannot be one.
func (s Sum) check() error {
	if s == (Sum{}) {
		return nil
	}
	h, ok := newHash(s.Algorithm)
	if !ok {
		return fault.New("blob.Begin", fault.Invalid, "", "unknown hash algorithm %q: use %s", s.Algorithm,
			strings.Join([]string{SHA512, SHA256, SHA1, XXH128, md5Sum}, ", "))
	}
	if b, err := hex.DecodeString(s.Hex); err != nil || len(b) != h.Size() {
		return fault.New("blob.Begin", fault.Invalid, "", "the checksum that the source gives is no %s: that has %d hexadecimal digits",
			s.Algorithm, 2*h.Size())
	}
	return nil
}

// compare fails with fault.Unavailable if got, in lower-case hex, is another checksum.
func (s Sum) compare(id, got string) error {
	if s == (Sum{}) || strings.EqualFold(s.Hex, got) {
		return nil
	}
	return fault.New("blob.Finish", fault.Unavailable, id, "what came is not what its source has: its %s is %s and should be %s; try again",
		s.Algorithm, beginning(got), beginning(strings.ToLower(s.Hex)))
}

// beginning is as much of a checksum as people compare.
func beginning(sum string) string {
	const digits = 12
	if len(sum) <= digits {
		return sum
	}
	return fmt.Sprintf("%s…", sum[:digits])
}
