package blob

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/shakenfist/shakenfist/fault"
)

const fuzzLimit = 1 << 20

// unpacked has what is written to an unpacker, in pieces, end in memory.
func unpacked(b []byte) ([]byte, error) {
	p, ok := packingOf(b)
	if !ok {
		return nil, fault.New("test", fault.Invalid, "", "not packed")
	}
	var all bytes.Buffer
	to := newFlow(fuzzLimit, &all)
	u := p.start(to)
	var failed error
	for rest := b; len(rest) > 0 && failed == nil; {
		n := min(len(rest), 1000)
		_, failed = u.Write(rest[:n])
		rest = rest[n:]
	}
	err := u.end(nil)
	_ = to.end() // a buffer does not fail
	return all.Bytes(), err
}

// FuzzUnpack has anything unpacked: it must end, in a verdict on the image, within the limit, and never take what another
// reader refuses.
func FuzzUnpack(f *testing.F) {
	disk := append(bytes.Repeat([]byte("disk"), 1000), make([]byte, 5000)...)
	var g, x bytes.Buffer
	gw := gzip.NewWriter(&g)
	_, _ = gw.Write(disk)
	_ = gw.Close()
	xw, _ := xz.WriterConfig{DictCap: 4096, BlockSize: 3000}.NewWriter(&x)
	_, _ = xw.Write(disk)
	_ = xw.Close()
	zw, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	z := zw.EncodeAll(disk, nil)
	for _, b := range [][]byte{g.Bytes(), x.Bytes(), z, append(x.Bytes(), x.Bytes()...), append(g.Bytes(), z...)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unpacked(b)
		if len(got) > fuzzLimit {
			t.Fatalf("%d bytes were unpacked; %d are allowed", len(got), fuzzLimit)
		}
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("the image is not to blame: %v", err)
			}
			return
		}
		var reader io.Reader
		switch p, _ := packingOf(b); p.name {
		case "gzip":
			reader, err = gzip.NewReader(bytes.NewReader(b))
		case "xz":
			reader, err = xz.NewReader(bytes.NewReader(b))
		default:
			return // there is no second one
		}
		if err != nil {
			t.Fatalf("another reader refuses it: %v", err)
		}
		want, err := io.ReadAll(reader)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("another reader takes it for something else: %v", err)
		}
	})
}
