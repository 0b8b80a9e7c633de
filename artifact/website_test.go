package artifact_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// website is a web server with one image, which fails as a test says.
type website struct {
	content []byte
	etag    string    // "" for none
	date    time.Time // zero for none
	answer  func(s *website, n int, w http.ResponseWriter, r *http.Request)

	mu     sync.Mutex
	asked  int      // guarded by mu; requests
	ranges []string // guarded by mu; what parts they asked for, "" for the whole
}

// ServeHTTP implements http.Handler.
func (s *website) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked++
	n := s.asked
	s.ranges = append(s.ranges, strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
	s.mu.Unlock()
	s.answer(s, n, w, r)
}

// requests returns what parts were asked for.
func (s *website) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.ranges...)
}

// well answers as a server should.
func (s *website) well(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.content, s.etag) }

func (s *website) serve(w http.ResponseWriter, r *http.Request, content []byte, etag string) {
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	http.ServeContent(w, r, "disk.img", s.date, bytes.NewReader(content))
}

// cut answers, and breaks off after so many bytes.
func (s *website) cut(w http.ResponseWriter, r *http.Request, after int) {
	s.well(&cutter{ResponseWriter: w, left: after}, r)
}

// stall answers, and falls silent after so many bytes.
func (s *website) stall(w http.ResponseWriter, r *http.Request, after int) {
	s.well(&cutter{ResponseWriter: w, left: after, silent: r.Context().Done()}, r)
}

// percent is a part of the content, in bytes.
func (s *website) percent(n int) int { return len(s.content) * n / 100 }

// cutter lets so many bytes through and then ends the connection, or keeps it and falls silent until the other side goes.
type cutter struct {
	http.ResponseWriter

	left   int
	silent <-chan struct{} // nil: the connection ends
}

func (c *cutter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b[:min(len(b), c.left)])
	if c.left -= n; err != nil || n == len(b) {
		return n, err
	}
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	if c.silent != nil {
		<-c.silent
	}
	panic(http.ErrAbortHandler)
}

// raw answers with bytes of one's own, and ends the connection.
func raw(w http.ResponseWriter, head string, body []byte) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = c.Write(append([]byte(strings.ReplaceAll(head, "\n", "\r\n")), body...))
	_ = c.Close()
}

// part answers with a part of content that it calls as it likes.
func part(w http.ResponseWriter, contentRange, etag string, body []byte) {
	w.Header().Set("ETag", etag)
	if contentRange != "" {
		w.Header().Set("Content-Range", contentRange)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(body)
}

// reprDigest is the header field that has a content's checksum.
func reprDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return fmt.Sprintf("sha-256=:%s:", base64.StdEncoding.EncodeToString(sum[:]))
}

// first has a server fail until it was asked so often, and then do as it should.
func first(times int, fail func(s *website, w http.ResponseWriter, r *http.Request)) func(*website, int, http.ResponseWriter, *http.Request) {
	return func(s *website, n int, w http.ResponseWriter, r *http.Request) {
		if n <= times {
			fail(s, w, r)
			return
		}
		s.well(w, r)
	}
}

// always has a server fail.
func always(fail func(s *website, w http.ResponseWriter, r *http.Request)) func(*website, int, http.ResponseWriter, *http.Request) {
	return first(1<<30, fail)
}

// broke has a server break off half-way, and then fail once more, in a way of its own.
func broke(fail func(s *website, w http.ResponseWriter, r *http.Request)) func(*website, int, http.ResponseWriter, *http.Request) {
	return func(s *website, n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			s.cut(w, r, s.percent(50))
		case 2:
			fail(s, w, r)
		default:
			s.well(w, r)
		}
	}
}
