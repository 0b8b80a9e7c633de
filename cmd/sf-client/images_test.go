package main

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// images is the web that the cloud fetches images from, without a network: every URL has a disk image, those in .qcow2 one
// of 32 MiB; but there is nothing below /none, and what is below /slow comes only after release.
type images struct {
	released chan struct{}
	once     sync.Once
}

func newImages() *images { return &images{released: make(chan struct{})} }

func (i *images) release() { i.once.Do(func() { close(i.released) }) }

// RoundTrip implements http.RoundTripper. What is on loopback is really there.
func (i *images) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "127.0.0.1" {
		return http.DefaultTransport.RoundTrip(r)
	}
	if strings.HasPrefix(r.URL.Path, "/slow") {
		select {
		case <-i.released:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	answer := httptest.NewRecorder()
	switch {
	case strings.HasPrefix(r.URL.Path, "/none"):
		http.NotFound(answer, r)
	case strings.HasSuffix(r.URL.Path, ".qcow2"):
		http.ServeContent(answer, r, "", published(), bytes.NewReader(emptyQCOW2(32<<20)))
	default:
		http.ServeContent(answer, r, "", published(), bytes.NewReader(bootSector()))
	}
	result := answer.Result()
	result.Request = r
	return result, nil
}

func published() time.Time { return time.Date(2023, 5, 27, 12, 0, 0, 0, time.UTC) }

// bootSector returns the smallest thing that is taken for a disk: empty, with the mark of a boot sector.
func bootSector() []byte {
	disk := make([]byte, 64<<10)
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

// emptyQCOW2 returns an image of that virtual size with tables in which nothing is allocated but they themselves.
func emptyQCOW2(size int64) []byte {
	const cluster = 64 << 10
	b, be := make([]byte, 4*cluster), binary.BigEndian // its header, the table of reference counts, their block, the L1 table
	copy(b, qcow2.Blank(size, ""))
	be.PutUint32(b[20:], 16)
	be.PutUint32(b[36:], 1)
	be.PutUint64(b[40:], 3*cluster)
	be.PutUint64(b[48:], cluster)
	be.PutUint32(b[56:], 1)
	be.PutUint64(b[cluster:], 2*cluster)
	for n := range 4 {
		be.PutUint16(b[2*cluster+2*n:], 1)
	}
	return b
}
