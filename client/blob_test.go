package client_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// store is a server's blob.
type store struct {
	content  []byte
	breaks   map[int64]int64 // answers from the offset break off after so many bytes, once
	down     time.Time       // until then there is no server
	checksum *string
	offsets  []int64 // that were asked for
}

func newStore(content string) *store {
	sum := sha512.Sum512([]byte(content))
	text := hex.EncodeToString(sum[:])
	return &store{content: []byte(content), breaks: map[int64]int64{}, checksum: &text}
}

func (s *store) serve(t *testing.T) *client.Client {
	t.Helper()
	c := newScript(t)
	c.on("GET /blobs/b1", say(200, api.Blob{UUID: "b1", Size: int64(len(s.content)), SHA512: s.checksum}))
	c.on("GET /blobs/b1/data", s.data)
	return c.client(nil)
}

func (s *store) data(w http.ResponseWriter, r *http.Request) {
	if time.Now().Before(s.down) {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	offset, _ := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	s.offsets = append(s.offsets, offset)
	rest := s.content[offset:]
	if n, found := s.breaks[offset]; found {
		delete(s.breaks, offset)
		rest = rest[:n]
	}
	_, _ = w.Write(rest)
}

func TestADownloadGoesOnWhereTheConnectionBroke(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore("0123456789")
		s.breaks = map[int64]int64{0: 4, 4: 0, 7: 1}
		s.down = time.Now().Add(20 * time.Second)
		var got bytes.Buffer
		var told []int64
		b, err := s.serve(t).DownloadBlob(t.Context(), "b1", &got, client.DownloadOptions{
			Progress: func(done, size int64) { told = append(told, done, size) },
		})
		if err != nil || got.String() != "0123456789" || b.UUID != "b1" {
			t.Fatalf("got %q, %v", &got, err)
		}
		if len(s.offsets) != 3 || told[0] != 4 || told[1] != 10 || told[len(told)-2] != 10 {
			t.Errorf("asked for %v, told of %v", s.offsets, told)
		}
	})
}

func TestADownloadTakesUpWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newStore("0123456789")
	var got bytes.Buffer
	_, err := s.serve(t).DownloadBlob(t.Context(), "b1", &got, client.DownloadOptions{Have: strings.NewReader("01234")})
	if err != nil || got.String() != "56789" || s.offsets[0] != 5 {
		t.Errorf("got %q from %v, %v", &got, s.offsets, err)
	}
	got.Reset()
	if _, err = s.serve(t).DownloadBlob(t.Context(), "b1", &got, client.DownloadOptions{Have: strings.NewReader("0123456789")}); err != nil || got.Len() > 0 {
		t.Errorf("with all there: got %q, %v", &got, err)
	}
}

func TestADownloadOfSomethingElseIsNone(t *testing.T) {
	t.Parallel()
	other := newStore("0123456789")
	other.checksum = newStore("something else").checksum
	long := newStore("0123456789")
	k := newScript(t)
	k.on("GET /blobs/b1", say(200, api.Blob{UUID: "b1", Size: 9}))
	k.on("GET /blobs/b1/data", long.data)
	for name, download := range map[string]func() error{
		"checksum": func() error {
			return second(other.serve(t).DownloadBlob(t.Context(), "b1", io.Discard, client.DownloadOptions{}))
		},
		"more than the 9 bytes": func() error {
			return second(k.client(nil).DownloadBlob(t.Context(), "b1", io.Discard, client.DownloadOptions{}))
		},
		"more than the 10 bytes": func() error {
			have := strings.NewReader("0123456789ab")
			return second(newStore("0123456789").serve(t).DownloadBlob(t.Context(), "b1", io.Discard, client.DownloadOptions{Have: have}))
		},
	} {
		if err := download(); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	unknown := newStore("0123456789")
	unknown.checksum = nil
	if _, err := unknown.serve(t).DownloadBlob(t.Context(), "b1", io.Discard, client.DownloadOptions{}); err != nil {
		t.Errorf("without a checksum: %v", err)
	}
}

func TestADownloadGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore("0123456789")
		s.down = time.Now().Add(time.Hour)
		start := time.Now()
		_, err := s.serve(t).DownloadBlob(t.Context(), "b1", io.Discard, client.DownloadOptions{})
		if took := time.Since(start); !errors.Is(err, fault.Unavailable) || took < 10*time.Second || took > time.Minute {
			t.Errorf("after %v: %v", took, err)
		}
	})
	full := &fullDisk{}
	_, err := newStore("0123456789").serve(t).DownloadBlob(t.Context(), "b1", full, client.DownloadOptions{})
	if !errors.Is(err, fault.Internal) || !errors.Is(err, io.ErrShortWrite) || full.writes != 1 {
		t.Errorf("onto a full disk: %v after %d writes", err, full.writes)
	}
}

// fullDisk takes nothing.
type fullDisk struct{ writes int }

func (f *fullDisk) Write([]byte) (int, error) {
	f.writes++
	return 0, io.ErrShortWrite
}
