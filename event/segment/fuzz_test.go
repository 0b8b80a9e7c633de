package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seal makes the checksums of a closed file right, as far as it has any, so that what is behind them is tried too.
func seal(b []byte) []byte {
	if len(b) < footerBytes+len(magic) {
		return b
	}
	b = bytes.Clone(b)
	foot := b[len(b)-footerBytes:]
	copy(foot[footerBytes-8:], magic)
	at, blocks := binary.BigEndian.Uint64(foot), binary.BigEndian.Uint32(foot[8:])
	if end := at + uint64(blocks)*indexBytes; at <= uint64(len(b)) && end <= uint64(len(b)-footerBytes) {
		binary.BigEndian.PutUint32(foot[12:], crc32.Checksum(b[at:end], castagnoli))
	}
	binary.BigEndian.PutUint32(foot[footerBytes-12:], crc32.Checksum(foot[:footerBytes-12], castagnoli))
	return b
}

func example(n int) []byte {
	a := &active{}
	var data []byte
	for i := range n {
		r := record([]string{"a", "b", "c"}[i%3], i)
		r.At = time.Unix(int64(i), 0)
		data, _ = encode(data, r)
	}
	a.scan(data)
	b, _ := encodeSegment(data, a.entries)
	return b
}

// Whatever a closed file has, reading it ends, takes no more memory than the file's size allows, and yields only records
// whose checksums are right.
func FuzzClosed(f *testing.F) {
	for _, n := range []int{0, 1, 3, 200} {
		f.Add(example(n), "a", 5, false)
		f.Add(example(n), "b", 500, true)
	}
	f.Add([]byte{}, "a", 1, true)
	f.Fuzz(func(t *testing.T, b []byte, object string, n int, sealed bool) {
		if sealed {
			b = seal(b)
		}
		file := bytes.NewReader(b)
		about, err := readFooter(file, int64(len(b)))
		if err != nil {
			return
		}
		n = max(1, n)
		found, _, err := search(file, about, object, n, math.MinInt64)
		require.LessOrEqual(t, len(found), n)
		if err != nil {
			require.True(t, isDamaged(err))
		}
		for _, r := range found {
			require.Equal(t, object, r.Object)
			again, err := encode(nil, r)
			require.NoError(t, err)
			require.True(t, bytes.Contains(b, again), "a record that is not in the file")
		}
	})
}

// Whatever an active file has, opening it yields only records whose checksums are right, and closing it keeps them.
func FuzzActive(f *testing.F) {
	var data []byte
	for i := range 5 {
		data, _ = encode(data, record("a", i))
	}
	f.Add(data, 0)
	f.Add(data[:len(data)-3], 7)
	f.Fuzz(func(t *testing.T, data []byte, flip int) {
		if len(data) > 0 && flip > 0 {
			data = bytes.Clone(data)
			data[flip%len(data)] ^= 0xff
		}
		a := &active{}
		lost, tail := a.scan(data)
		sum := lost + tail
		seen := map[string]bool{}
		for _, e := range a.entries {
			r, n, err := decode(data[e.offset:])
			require.NoError(t, err)
			require.Equal(t, int(e.length), n)
			sum += int64(n)
			seen[string(r.object)+"\x00"+string(r.id)] = true
		}
		require.Equal(t, int64(len(data)), sum)
		b, damaged := encodeSegment(data, a.entries)
		require.False(t, damaged)
		file := bytes.NewReader(b)
		about, err := readFooter(file, int64(len(b)))
		require.NoError(t, err)
		require.Len(t, seen, int(about.records))
		for _, e := range a.entries {
			r, _, _ := decode(data[e.offset:])
			found, damaged, err := search(file, about, string(r.object), math.MaxInt, math.MinInt64)
			require.NoError(t, err)
			require.False(t, damaged)
			require.NotEmpty(t, found)
		}
	})
}
