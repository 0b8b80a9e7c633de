package artifact

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
)

func TestTheStrongestChecksumOfAnAnswerCounts(t *testing.T) {
	t.Parallel()
	content := []byte("content")
	s512, s256, m := sha512.Sum512(content), sha256.Sum256(content), md5.Sum(content)
	b64 := base64.StdEncoding.EncodeToString
	sum512 := blob.Sum{Algorithm: "sha512", Hex: hex.EncodeToString(s512[:])}
	sum256 := blob.Sum{Algorithm: "sha256", Hex: hex.EncodeToString(s256[:])}
	sumMD5 := blob.Sum{Algorithm: "md5", Hex: hex.EncodeToString(m[:])}
	for _, c := range []struct {
		headers string
		want    blob.Sum
	}{
		{"", blob.Sum{}},
		{"Repr-Digest: sha-256=:" + b64(s256[:]) + ":", sum256},
		{"Repr-Digest: sha-256=:" + b64(s256[:]) + ":, sha-512=:" + b64(s512[:]) + ":", sum512},
		{"Content-Digest: sha-512=:" + b64(s512[:]) + ":", sum512},
		{"Digest: SHA-256=" + b64(s256[:]) + ",md5=" + b64(m[:]), sum256},
		{"Content-MD5: " + b64(m[:]), sumMD5},
		{"X-Goog-Hash: crc32c=n03x6A==\nX-Goog-Hash: md5=" + b64(m[:]), sumMD5},
		{"X-Amz-Checksum-Sha256: " + b64(s256[:]), sum256},
		{"X-Amz-Checksum-Sha256: " + b64(s256[:]) + "-7", blob.Sum{}}, // of the parts of an upload, not of the content
		{"X-Checksum-Sha512: " + sum512.Hex + "\nX-Checksum-Sha256: " + sum256.Hex, sum512},
		{"X-Checksum-Sha256: " + strings.ToUpper(sum256.Hex), sum256},
		{"X-Checksum-Sha256: " + sum256.Hex[2:], blob.Sum{}},
		{"Repr-Digest: sha-256=:AAAA:", blob.Sum{}},
		{"Repr-Digest: unixsum=:AAAA:", blob.Sum{}},
		{"Repr-Digest: sha-256=:" + b64(s512[:]) + ":\nContent-MD5: " + b64(m[:]), sumMD5},
	} {
		h := http.Header{}
		for line := range strings.SplitSeq(c.headers, "\n") {
			if key, value, ok := strings.Cut(line, ": "); ok {
				h.Add(key, value)
			}
		}
		require.Equal(t, c.want, sumOfHeader(h), c.headers)
	}
}

func TestAChecksumIsFoundInAList(t *testing.T) {
	t.Parallel()
	raw := sha256.Sum256([]byte("content"))
	sum := hex.EncodeToString(raw[:])
	other := strings.Repeat("0", 64)
	for text, found := range map[string]bool{
		sum: true, sum + "\n": true, strings.ToUpper(sum) + "  disk.img\n": true,
		other + "  other.img\n" + sum + " *disk.img\n" + other + "  last.img\n": true,
		sum + "  ./disk.img\r\n":            true,
		sum + "  images/12/disk.img":        true,
		"SHA256 (disk.img) = " + sum + "\n": true,
		"SHA256 (other.img) = " + sum:       false,
		sum + "  disk.img.sig":              false,
		sum[2:] + "  disk.img":              false,
		sum + sum + "  disk.img":            false,
		"<html>" + sum + "  disk.img":       false,
		"":                                  false,
	} {
		got, ok := findSum(text, "disk.img", 32)
		require.Equal(t, found, ok, "%q", text)
		if found {
			require.Equal(t, sum, got)
		}
	}
}

// FuzzWhatAServerSays: headers and lists of whatever kind give a checksum that can be one, or none.
func FuzzWhatAServerSays(f *testing.F) {
	f.Add("sha-256=:AAAA:", "bytes 0-1/2")
	f.Add("SHA256 (x) = 00", "bytes */9")
	f.Fuzz(func(t *testing.T, text, contentRangeText string) {
		sum := sumOfHeader(http.Header{"Repr-Digest": {text}, "Content-Md5": {text}, "X-Checksum-Sha1": {text}})
		if sum != (blob.Sum{}) {
			_, err := hex.DecodeString(sum.Hex)
			require.NoError(t, err)
		}
		if found, ok := findSum(text, "x", 32); ok {
			require.Len(t, found, 64)
		}
		first, last, size, ok := contentRange(contentRangeText)
		if ok {
			require.True(t, 0 <= first && first <= last && size >= -1)
		}
	})
}
