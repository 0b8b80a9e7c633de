package blob_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/xxh3"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

func other(b []byte) blob.Content {
	return blob.Content{Reader: bytes.NewReader(b), Size: int64(len(b)), Kind: blob.Other}
}

func TestChecksumsAreThoseThatEverybodyMakes(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]blob.Checksums{
		"": {
			SHA512: "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
			SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			SHA1:   "da39a3ee5e6b4b0d3255bfef95601890afd80709",
			XXH128: "99aa06d3014798d86001c324468d497f",
		},
		"abc": {
			SHA512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
			SHA1:   "a9993e364706816aba3e25717850c26c9cd0d89d",
			XXH128: "06b05ab6733a618578af5f94892f3950",
		},
	} {
		s, err := idle(t).Ingest(t.Context(), other([]byte(content)))
		require.NoError(t, err)
		require.Equal(t, want, s.Checksums)
		require.Equal(t, want.SHA1, s.By(blob.SHA1))
		require.Empty(t, s.By("md5"))
	}
}

// sums returns every checksum of b that a source may give.
func sums(b []byte) []blob.Sum {
	x := xxh3.Hash128(b).Bytes()
	return []blob.Sum{
		{Algorithm: "md5", Hex: fmt.Sprintf("%x", md5.Sum(b))},
		{Algorithm: "sha1", Hex: fmt.Sprintf("%x", sha1.Sum(b))},
		{Algorithm: "sha256", Hex: strings.ToUpper(fmt.Sprintf("%x", sha256.Sum256(b)))},
		{Algorithm: "sha512", Hex: fmt.Sprintf("%x", sha512.Sum512(b))},
		{Algorithm: "xxh128", Hex: fmt.Sprintf("%x", x[:])},
	}
}

func TestASourcesChecksumIsThatOfWhatItSends(t *testing.T) {
	t.Parallel()
	m := idle(t)
	raw := diskWithHole()
	for _, sent := range [][]byte{raw, packGzip(t, raw)} {
		for i, sum := range sums(sent) {
			c := content(sent)
			c.Sum = sum
			s, err := m.Ingest(t.Context(), c)
			require.NoError(t, err, sum.Algorithm)
			require.Equal(t, fmt.Sprintf("%x", sha512.Sum512(raw)), s.SHA512, "that of the content is kept")
			s.Done()

			// Another byte, which changes no size and is still unpacked.
			c = content(sent)
			c.Sum = sums([]byte("something else"))[i]
			_, err = m.Ingest(t.Context(), c)
			require.ErrorIs(t, err, fault.Unavailable)
			require.Contains(t, fault.Text(err), "its "+sum.Algorithm+" is "+strings.ToLower(sum.Hex[:12])+"… and should be "+
				strings.ToLower(c.Sum.Hex[:12])+"…; try again")
			require.NotContains(t, strings.Join(filesOf(t, m, ""), " "), ".partial")
		}
	}
}

func TestDamageOnTheWayIsNoDefectOfTheImage(t *testing.T) {
	t.Parallel()
	packed := packGzip(t, diskWithHole())
	sum := sums(packed)[2]
	packed[len(packed)/2] ^= 1
	_, err := idle(t).Ingest(t.Context(), content(packed))
	require.ErrorIs(t, err, fault.Invalid, "nobody said what it should be")
	c := content(packed)
	c.Sum = sum
	_, err = idle(t).Ingest(t.Context(), c)
	require.ErrorIs(t, err, fault.Unavailable)
}

func TestAChecksumThatCannotBeOneIsRefused(t *testing.T) {
	t.Parallel()
	for text, sum := range map[string]blob.Sum{
		`unknown hash algorithm "crc32": use sha512, sha256, sha1, xxh128, md5`:           {Algorithm: "crc32", Hex: "01234567"},
		`unknown hash algorithm "": use`:                                                  {Hex: "01234567"},
		"the checksum that the source gives is no sha256: that has 64 hexadecimal digits": {Algorithm: "sha256", Hex: "abc"},
		"the checksum that the source gives is no md5: that has 32 hexadecimal digits":    {Algorithm: "md5", Hex: strings.Repeat("g", 32)},
	} {
		c := content(image(2))
		c.Sum = sum
		_, err := idle(t).Ingest(t.Context(), c)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), text)
	}
}
