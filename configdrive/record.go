package configdrive

import (
	"encoding/binary"
	"time"
	"unicode/utf16"

	"github.com/kdomanski/iso9660"
)

// record describes a file or folder of size bytes at a sector. All bear the date of the format, so that the same content
// gives the same bytes.
func record(name string, at int32, size uint32, flags byte) iso9660.DirectoryEntry {
	return iso9660.DirectoryEntry{
		ExtentLocation:       at,
		ExtentLength:         size,
		RecordingDateTime:    iso9660.RecordingTimestamp(time.Date(2017, time.February, 22, 0, 0, 0, 0, time.UTC)),
		FileFlags:            flags,
		VolumeSequenceNumber: 1,
		Identifier:           name,
	}
}

// ucs2 writes s in the big-endian character set of Joliet.
func ucs2(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return string(b)
}
