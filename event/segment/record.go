package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"hash/fnv"
	"strings"
	"time"
)

// Record is one thing that is kept.
type Record struct {
	Object string    // what it is about; records are read by it
	ID     string    // tells it from the object's others; the newer, the lower it sorts
	At     time.Time // when it happened, which decides how long it is kept
	Value  []byte
}

// newestFirst compares records of one object. Those that are equal are the same.
func newestFirst(a, b Record) int { return strings.Compare(a.ID, b.ID) }

// raw is a record whose parts still lie in the buffer it was read from.
type raw struct {
	at                int64 // Unix nanoseconds
	object, id, value []byte
}

func (r raw) record() Record {
	return Record{Object: string(r.object), ID: string(r.id), At: time.Unix(0, r.at), Value: append([]byte(nil), r.value...)}
}

// In a file a record is its body's length and CRC-32C, four bytes each, and the body: the time, the lengths of object and
// ID, object, ID, value. Numbers are big-endian.
const (
	headerBytes = 8
	fixedBytes  = 8 + 2 + 2
	maxBody     = 2 << 20 // more than the state store takes in one value
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant

// Why bytes are no record. What is torn is the beginning of one that was never finished.
var (
	errTorn   = errors.New("the record is cut off")
	errBroken = errors.New("the record's checksum is wrong")
)

// encode appends r to b, as it stands in a file. It fails if r is larger than a record can be.
func encode(b []byte, r Record) ([]byte, error) {
	size := fixedBytes + len(r.Object) + len(r.ID) + len(r.Value)
	if size > maxBody || len(r.Object) > 1<<16-1 || len(r.ID) > 1<<16-1 {
		return b, errors.New("the record is too large")
	}
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = append(b, 0, 0, 0, 0)
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixNano()))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Object))) //nolint:gosec // bounded above
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.ID)))     //nolint:gosec // bounded above
	b = append(b, r.Object...)
	b = append(b, r.ID...)
	b = append(b, r.Value...)
	binary.BigEndian.PutUint32(b[start-4:], crc32.Checksum(b[start:], castagnoli))
	return b, nil
}

// decode reads the record at the beginning of b and returns how long it is. It fails with errTorn if b ends within it, and
// with errBroken if this is no record.
func decode(b []byte) (raw, int, error) {
	if len(b) < headerBytes {
		return raw{}, 0, errTorn
	}
	size := int(binary.BigEndian.Uint32(b))
	if size < fixedBytes || size > maxBody {
		return raw{}, 0, errBroken
	}
	if len(b) < headerBytes+size {
		return raw{}, 0, errTorn
	}
	body := b[headerBytes : headerBytes+size]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return raw{}, 0, errBroken
	}
	r := raw{at: int64(binary.BigEndian.Uint64(body))} //nolint:gosec // the same bits
	object, id := int(binary.BigEndian.Uint16(body[8:])), int(binary.BigEndian.Uint16(body[10:]))
	if body = body[fixedBytes:]; object+id > len(body) {
		return raw{}, 0, errBroken
	}
	r.object, r.id, r.value = body[:object], body[object:object+id], body[object+id:]
	return r, headerBytes + size, nil
}

// hashOf places an object within a closed file.
func hashOf[T string | []byte](object T) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(object))
	return h.Sum64()
}
