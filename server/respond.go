package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// raw is an answer that is not JSON.
type raw struct {
	contentType string
	body        []byte
}

// stream is an answer that is not JSON and may be too long to be held in memory.
type stream struct {
	contentType string
	size        int64 // bytes
	body        io.ReadCloser
}

// moved is an answer that sends a browser elsewhere.
type moved struct{ location string }

// statusOf is the HTTP status of each kind of error. Clients know these and no others.
var statusOf = map[fault.Kind]int{
	fault.Internal:     http.StatusInternalServerError,
	fault.Invalid:      http.StatusBadRequest,
	fault.Unauthorized: http.StatusUnauthorized,
	fault.Forbidden:    http.StatusForbidden,
	fault.NotFound:     http.StatusNotFound,
	fault.NotReady:     http.StatusNotAcceptable, // clients repeat the request until it works
	fault.Conflict:     http.StatusConflict,
	fault.Exhausted:    http.StatusInsufficientStorage,
	fault.Unavailable:  http.StatusServiceUnavailable,
}

// describe returns what a client is told of an error. The text of an internal one stays here: it may say things about the
// machine that are nobody's business, and the log has it under the request's ID.
func describe(err error) api.Error {
	kind := fault.KindOf(err)
	text := fault.Text(err)
	switch {
	case kind == fault.Internal:
		text = "server error: the server's log has the cause under the ID in this answer's " + api.HeaderRequestID
	case kind == fault.NotFound && !strings.Contains(text, "not found"):
		text += " (not found)" // clients look for the words
	case text == "":
		text = kind.Error()
	}
	return api.Error{Error: text, Status: statusOf[kind]}
}

// write answers a request. Every success has status 200, and what has nothing to say says null: clients take any other
// status for an error, and parse every body.
func write(w http.ResponseWriter, r *http.Request, status int, body any) {
	h := w.Header()
	var content []byte
	switch b := body.(type) {
	case stream:
		send(w, r, b)
		return
	case raw:
		h.Set("Content-Type", b.contentType)
		content = b.body
	case moved:
		h.Set("Location", b.location)
		status = http.StatusFound
	default:
		h.Set("Content-Type", "application/json")
		content = encode(body)
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // a client that went away needs no answer
	}
}

// send answers with a stream.
func send(w http.ResponseWriter, r *http.Request, s stream) {
	defer s.body.Close() //nolint:errcheck // only read
	w.Header().Set("Content-Type", s.contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(s.size, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = io.CopyN(w, s.body, s.size) // what is cut off is shorter than its Content-Length; the client sees that
	}
}

func encode(body any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		panic("server: a body does not marshal: " + err.Error()) // a defect of the body's type
	}
	return b.Bytes()
}
