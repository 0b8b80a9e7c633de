package blob_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

func packGzip(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(b)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return packed.Bytes()
}

func packZstd(tb testing.TB, b []byte, options ...zstd.EOption) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil, append(options, zstd.WithEncoderConcurrency(1))...)
	require.NoError(tb, err)
	defer w.Close() //nolint:errcheck // nothing was written to it
	return w.EncodeAll(b, nil)
}

func packXZ(tb testing.TB, b []byte, set ...func(*xz.WriterConfig)) []byte {
	tb.Helper()
	config := xz.WriterConfig{DictCap: 1 << 20}
	for _, f := range set {
		f(&config)
	}
	var packed bytes.Buffer
	w, err := config.NewWriter(&packed)
	require.NoError(tb, err)
	_, err = w.Write(b)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return packed.Bytes()
}

// diskWithHole is a raw disk of 600 KiB that packs well.
func diskWithHole() []byte {
	b := image(1200)
	clear(b[50<<10 : 550<<10])
	return b
}

func TestPackedImagesAreUnpacked(t *testing.T) {
	t.Parallel()
	m, raw := idle(t), diskWithHole()
	half := len(raw) / 2
	skipped := append([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00"), "skip"...)
	for name, packed := range map[string][]byte{
		"gzip":                  packGzip(t, raw),
		"gzip in two members":   slices.Concat(packGzip(t, raw[:half]), packGzip(t, raw[half:])),
		"zstd":                  packZstd(t, raw),
		"zstd in two frames":    slices.Concat(packZstd(t, raw[:half]), packZstd(t, raw[half:])),
		"zstd, a skipped frame": slices.Concat(skipped, packZstd(t, raw), skipped),
		"zstd without checksum": packZstd(t, raw, zstd.WithEncoderCRC(false)),
		"xz":                    packXZ(t, raw),
		"xz in two streams":     slices.Concat(packXZ(t, raw[:half]), make([]byte, 8), packXZ(t, raw[half:]), make([]byte, 4)),
		"xz in blocks":          packXZ(t, raw, func(c *xz.WriterConfig) { c.BlockSize = 100_001 }),
		"xz with SHA-256":       packXZ(t, raw, func(c *xz.WriterConfig) { c.CheckSum = xz.SHA256 }),
		"xz with CRC32":         packXZ(t, raw, func(c *xz.WriterConfig) { c.CheckSum = xz.CRC32 }),
		"xz without checksum":   packXZ(t, raw, func(c *xz.WriterConfig) { c.NoCheckSum = true }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := m.Ingest(t.Context(), content(packed))
			require.NoError(t, err)
			there, err := os.ReadFile(m.Path(s.ID))
			require.NoError(t, err)
			require.True(t, bytes.Equal(raw, there))
			require.EqualValues(t, len(raw), s.Size)
			require.Equal(t, sums(raw)[3].Hex, s.SHA512)
			require.Equal(t, hypervisor.Raw, s.Facts.Format)
		})
	}
}

// TestWhatTheUsualProgramsPackIsUnpacked packs by the programs that people have, at the levels that need most memory.
func TestWhatTheUsualProgramsPackIsUnpacked(t *testing.T) {
	t.Parallel()
	m, raw := idle(t), diskWithHole()
	for _, command := range [][]string{
		{"gzip", "-9"},
		{"xz", "-0"},
		{"xz", "-T2", "--block-size=1MiB", "-9"},
		{"zstd", "-q", "-1"},
		{"zstd", "-q", "-3", "--long=27"},
		{"zstd", "-q", "-T2"},
	} {
		if _, err := exec.LookPath(command[0]); err != nil {
			t.Logf("%s is not installed", command[0])
			continue
		}
		c := exec.CommandContext(t.Context(), command[0], append(command[1:], "-c")...)
		c.Stdin = bytes.NewReader(raw)
		packed, err := c.Output()
		require.NoError(t, err)
		s, err := m.Ingest(t.Context(), content(packed))
		require.NoError(t, err, command)
		require.Equal(t, sums(raw)[3].Hex, s.SHA512, command)
	}
}

func TestWhatIsInsideIsJudged(t *testing.T) {
	t.Parallel()
	s, err := idle(t).Ingest(t.Context(), content(packGzip(t, qcow2())))
	require.NoError(t, err)
	require.Equal(t, hypervisor.QCOW2, s.Facts.Format)
	tar := image(4)
	copy(tar[257:], "ustar")
	for text, b := range map[string][]byte{
		"this is a tar archive, not":      tar,
		"this is a gzip file, not":        packGzip(t, image(4)),
		"needs a backing file":            qcow2(u64(8, 512), u32(16, 9)),
		"the file is empty":               {},
		"lacks 1 to whole sectors of 512": image(4)[:2047],
		"this is an HTML page":            []byte("<!DOCTYPE html>"),
	} {
		for _, pack := range []func(testing.TB, []byte) []byte{
			packGzip,
			func(tb testing.TB, b []byte) []byte { tb.Helper(); return packZstd(tb, b, zstd.WithZeroFrames(true)) },
			func(tb testing.TB, b []byte) []byte { tb.Helper(); return packXZ(tb, b) },
		} {
			m := idle(t)
			_, err := m.Ingest(t.Context(), content(pack(t, b)))
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, fault.Text(err), text)
			require.Empty(t, filesOf(t, m, ""))
		}
	}
}

func TestPackedImagesThatAreDamagedAreRefused(t *testing.T) {
	t.Parallel()
	m, raw := idle(t), diskWithHole()
	for name, packed := range map[string][]byte{"gzip": packGzip(t, raw), "zstd": packZstd(t, raw), "xz": packXZ(t, raw)} {
		for _, c := range []struct {
			what, text string
			change     func(b []byte) []byte
		}{
			{"cut off in the middle", "this " + name + " file is cut off: fetch it again", func(b []byte) []byte { return b[:len(b)/2] }},
			{"cut off at the end", "this " + name + " file is cut off: fetch it again", func(b []byte) []byte { return b[:len(b)-1] }},
			{"with a magic number alone", "this " + name + " file is", func(b []byte) []byte { return b[:6] }},
			{"with another byte", "this " + name + " file is damaged", func(b []byte) []byte { b[len(b)/3] ^= 4; return b }},
			{"with garbage after it", "this " + name + " file is damaged, or something follows its end", func(b []byte) []byte { return append(b, "garbage of any length"...) }},
		} {
			_, err := m.Ingest(t.Context(), content(c.change(bytes.Clone(packed))))
			require.ErrorIs(t, err, fault.Invalid, "%s %s", name, c.what)
			require.Contains(t, fault.Text(err), c.text, "%s %s", name, c.what)
		}
	}
	require.Empty(t, filesOf(t, m, ""))
}

func TestNotAByteMayFollow(t *testing.T) {
	t.Parallel()
	m, raw := idle(t), image(8)
	for name, packed := range map[string][]byte{"gzip": packGzip(t, raw), "zstd": packZstd(t, raw), "xz": packXZ(t, raw)} {
		for _, follows := range []string{"\x00", "x", "xy", "xyz", "wxyz", string(packed[:3]), string(packed[:len(packed)-1])} {
			_, err := m.Ingest(t.Context(), content(append(bytes.Clone(packed), follows...)))
			require.ErrorIs(t, err, fault.Invalid, "%s and %q", name, follows)
		}
	}
}

func TestBombsAreRefused(t *testing.T) {
	t.Parallel()
	const limit = 128 << 10
	m := idle(t, func(d *blob.Deps) { d.Limits.Bytes = limit })
	for _, size := range []int{limit, limit + 1, 2 << 20} {
		zeroes := make([]byte, size)
		for _, packed := range [][]byte{packGzip(t, zeroes), packZstd(t, zeroes), packXZ(t, zeroes), zeroes} {
			s, err := m.Ingest(t.Context(), content(packed))
			if size == limit {
				require.NoError(t, err)
				s.Done()
				continue
			}
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, fault.Text(err), "larger than 131072 bytes")
			require.Contains(t, fault.Text(err), "IMAGE_MAX_SIZE")
		}
	}
}

// xzHeader begins an xz file whose first block asks for a dictionary of the size that the property stands for.
func xzHeader(property byte) []byte {
	b := slices.Concat([]byte("\xfd7zXZ\x00\x00\x00"), make([]byte, 4))
	binary.LittleEndian.PutUint32(b[8:], crc32.ChecksumIEEE(b[6:8]))
	return append(b, xzBlock(property, "")...)
}

// xzBlock is a block with that packed content, but for its end.
func xzBlock(property byte, packed string) []byte {
	b := []byte{2, 0, 0x21, 1, property, 0, 0, 0}
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return append(b, packed...)
}

func TestTheMemoryThatUnpackingTakesIsBounded(t *testing.T) {
	t.Parallel()
	m := idle(t)
	window := packZstd(t, image(8), zstd.WithWindowSize(256<<20), zstd.WithSingleSegment(false))
	window = slices.Concat([]byte("\x28\xb5\x2f\xfd\x00\xa8"), window[6:]) // a window of 2 GiB
	many := xzHeader(28)                                                   // a dictionary of 64 MiB
	many = append(many[:len(many)-12], bytes.Repeat(xzBlock(28, "\x00\x00\x00\x00"), 1000)...)
	for name, packed := range map[string][]byte{
		"xz": xzHeader(29), "xz of 4 GiB": xzHeader(40), "xz of a thousand dictionaries": many, "zstd": window,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c := content(packed)
		_, err := m.Ingest(t.Context(), c)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, fault.Invalid, name)
		require.Contains(t, fault.Text(err), "MiB of memory to be unpacked: compress the image again", name)
		if name != "xz of a thousand dictionaries" {
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(512<<20), name)
		}
	}
	_, err := m.Ingest(t.Context(), content(xzHeader(28)))
	require.ErrorIs(t, err, fault.Invalid)
	require.Contains(t, fault.Text(err), "is cut off", "a dictionary of 64 MiB may be")
}

func TestXZFilesOfOtherKindsAreRefused(t *testing.T) {
	t.Parallel()
	m := idle(t)
	head := xzHeader(28)[:12]
	sealed := func(b ...byte) []byte {
		return slices.Concat(head, binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
	}
	method := bytes.Clone(head)
	method[7] = 7
	binary.LittleEndian.PutUint32(method[8:], crc32.ChecksumIEEE(method[6:8]))
	for name, b := range map[string][]byte{
		"check that is unknown":              method,
		"reserved flags":                     sealed(2, 0x3c, 0x21, 1, 28, 0, 0, 0),
		"filter for programs":                sealed(2, 1, 4, 0, 0x21, 1, 28, 0),
		"unknown filter":                     sealed(2, 0, 0x22, 1, 28, 0, 0, 0),
		"no such dictionary":                 sealed(2, 0, 0x21, 1, 41, 0, 0, 0),
		"padding":                            sealed(2, 0, 0x21, 1, 28, 0, 1, 0),
		"long number":                        sealed(4, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0x21, 1, 28, 0, 0, 0),
		"wrong sum":                          slices.Concat(head, []byte{2, 0, 0x21, 1, 28, 0, 0, 0, 1, 2, 3, 4}),
		"index of blocks that are not there": slices.Concat(head, []byte{0, 9, 1, 1}),
		"endless index":                      slices.Concat(head, []byte{0}, bytes.Repeat([]byte{0xff}, 16)),
	} {
		_, err := m.Ingest(t.Context(), content(b))
		require.ErrorIs(t, err, fault.Invalid, name)
		require.Contains(t, fault.Text(err), "this xz file is damaged", name)
	}
}
