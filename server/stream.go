package server

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// stream is an answer that is not JSON and may be too long to be held in memory. How long it takes is the client's business,
// as long as it takes some of it now and then.
type stream struct {
	contentType string
	size        int64 // bytes
	body        io.ReadCloser
}

// A client must take each piece of a stream within that time.
const (
	piece = 256 << 10 // bytes
	stall = time.Minute
)

// send answers with a stream. What is cut off is shorter than its Content-Length; the client sees that.
func (s stream) send(w http.ResponseWriter, r *http.Request) {
	defer s.body.Close() //nolint:errcheck // only read
	w.Header().Set("Content-Type", s.contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(s.size, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	connection := http.NewResponseController(w)
	for left := s.size; left > 0; left -= piece {
		// The bound that the server has for all answers is one for answers that are short. Where there is no connection
		// that could have a bound there is no need of one.
		_ = connection.SetWriteDeadline(time.Now().Add(stall))
		if _, err := io.CopyN(w, s.body, min(piece, left)); err != nil {
			return
		}
	}
	// The connection may have more requests to come, on a server without a bound that would take the place of this one.
	if connection.Flush() == nil {
		_ = connection.SetWriteDeadline(time.Time{})
	}
}

// ReadFrom implements io.ReaderFrom, so that files go out without a detour through this process's memory.
func (w *recorder) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(w.ResponseWriter, r)
}
