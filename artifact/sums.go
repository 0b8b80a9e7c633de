package artifact

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/blob"
)

// algorithms are those of checksums, the strongest first, with what each is called where and how long its checksums are in
// bytes.
var algorithms = []struct {
	name  string
	bytes int
	field string   // of Repr-Digest, Content-Digest and Digest, lower case
	hex   []string // header fields that have it in hexadecimal
	plain []string // header fields that have it in base64
	lists []string // files of checksums beside an image of the name %
}{
	{blob.SHA512, 64, "sha-512", []string{"X-Checksum-Sha512"}, nil, []string{"%.sha512", "SHA512SUMS"}},
	{blob.SHA256, 32, "sha-256", []string{"X-Checksum-Sha256"}, []string{"X-Amz-Checksum-Sha256"}, []string{"%.sha256", "SHA256SUMS"}},
	{blob.SHA1, 20, "sha", []string{"X-Checksum-Sha1"}, []string{"X-Amz-Checksum-Sha1"}, nil},
	{"md5", 16, "md5", []string{"X-Checksum-Md5"}, []string{"Content-Md5"}, []string{"MD5SUMS"}},
}

// digestField is a part of Repr-Digest and Content-Digest (RFC 9530), of Digest (RFC 3230), or of what Google Cloud Storage
// sends. The first two put colons around.
var digestField = regexp.MustCompile(`(?i)(?:^|[,\s])(sha-512|sha-256|sha|md5)=:?([A-Za-z0-9+/]+={0,2}):?`)

// sumOfHeader returns the strongest checksum that a whole response says its content has; zero if there is none. What can't
// be understood was not said.
func sumOfHeader(h http.Header) blob.Sum {
	said := map[string]string{} // base64, by field
	for _, name := range []string{"X-Goog-Hash", "Digest", "Content-Digest", "Repr-Digest"} {
		for _, value := range h.Values(name) {
			for _, hit := range digestField.FindAllStringSubmatch(value, -1) {
				said[strings.ToLower(hit[1])] = hit[2]
			}
		}
	}
	decode := base64.StdEncoding.DecodeString
	for _, a := range algorithms {
		if sum, ok := sumOf(a.name, a.bytes, said[a.field], decode); ok {
			return sum
		}
		for _, name := range a.plain {
			if sum, ok := sumOf(a.name, a.bytes, h.Get(name), decode); ok {
				return sum
			}
		}
		for _, name := range a.hex {
			if sum, ok := sumOf(a.name, a.bytes, h.Get(name), hex.DecodeString); ok {
				return sum
			}
		}
	}
	return blob.Sum{}
}

// sumOf reads a checksum of so many bytes.
func sumOf(algorithm string, size int, text string, decode func(string) ([]byte, error)) (blob.Sum, bool) {
	raw, err := decode(text)
	return blob.Sum{Algorithm: algorithm, Hex: hex.EncodeToString(raw)}, err == nil && len(raw) == size
}

// listing bounds the time in which checksums beside an image are looked for.
const listing = 10 * time.Second

// listedSum returns the strongest checksum that lies beside the image a shorthand means. It is zero if there is none, or it
// can't be read: it tells damage, and no more than the server that also has the image. Beside other URLs nothing is looked for.
func (d *downloader) listedSum(ctx context.Context, location string) blob.Sum {
	if !cirros.MatchString(d.source) && !shorthand.MatchString(d.source) {
		return blob.Sum{}
	}
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	folder, file := location[:strings.LastIndexByte(location, '/')+1], path.Base(location)
	for _, a := range algorithms {
		for _, list := range a.lists {
			text, err := small(ctx, d.client, folder+strings.Replace(list, "%", file, 1))
			if err != nil {
				continue
			}
			if sum, ok := findSum(text, file, a.bytes); ok {
				return blob.Sum{Algorithm: a.name, Hex: sum}
			}
		}
	}
	return blob.Sum{}
}

// bsdSum is a line as BSD's programs write it.
var bsdSum = regexp.MustCompile(`^[A-Z0-9]+ \((.+)\) = ([0-9A-Fa-f]+)$`)

// findSum finds the checksum of a file in a list of them, or in a text that is nothing but one.
func findSum(text, file string, size int) (sum string, ok bool) {
	isSum := func(word string) bool {
		raw, err := hex.DecodeString(word)
		return err == nil && len(raw) == size
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if hit := bsdSum.FindStringSubmatch(line); hit != nil && path.Base(hit[1]) == file && isSum(hit[2]) {
			return strings.ToLower(hit[2]), true
		}
		word, name, listed := strings.Cut(line, " ")
		if listed && isSum(word) && path.Base(strings.TrimPrefix(strings.TrimSpace(name), "*")) == file {
			return strings.ToLower(word), true
		}
	}
	if only := strings.TrimSpace(text); isSum(only) {
		return strings.ToLower(only), true
	}
	return "", false
}
