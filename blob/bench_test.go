package blob_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkIngest stores a raw disk of 64 MiB with all its checksums, safe on the disk. The rates are those of what is
// stored. TestProveFigureOfIngest compares with other programs.
func BenchmarkIngest(b *testing.B) {
	random := image(64 << 11)
	half := bytes.Clone(random)
	clear(half[len(half)/2:])
	for _, c := range []struct {
		name string
		sent []byte
	}{
		{"random", random},
		{"half zero", half},
		{"gzip of half zero", packGzip(b, half)},
		{"zstd of half zero", packZstd(b, half)},
		{"xz of half zero", packXZ(b, half)},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := idle(b)
			b.SetBytes(int64(len(random)))
			b.ReportAllocs()
			for b.Loop() {
				s, err := m.Ingest(b.Context(), content(c.sent))
				require.NoError(b, err)
				s.Done()
				require.NoError(b, os.Remove(m.Path(s.ID))) // nothing sweeps here
			}
		})
	}
}
