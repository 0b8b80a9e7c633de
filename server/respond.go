package server

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// raw is an answer whose bytes are known.
type raw struct {
	contentType string
	body        []byte
	header      map[string]string // more headers; with an ETag the client is told if it has the body already
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
	if marked, ok := err.(interface{ bare() error }); ok {
		err = marked.bare()
	}
	kind := fault.KindOf(err)
	text := fault.Text(err)
	var left undeleted
	switch {
	case errors.As(err, &left):
		return api.Error{Error: left.Undeleted, Status: http.StatusForbidden}
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
		b.send(w, r)
		return
	case raw:
		for name, value := range b.header {
			h.Set(name, value)
		}
		if etag := b.header["ETag"]; etag != "" && strings.Contains(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
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
		_, _ = w.Write(content) //nolint:gosec // JSON or a page of ours; a client that went away needs no answer
	}
}

func encode(body any) []byte { return append(appendBody(nil, body), '\n') }

func appendBody(dst []byte, body any) []byte {
	dst, err := api.AppendJSON(dst, body)
	if err != nil {
		panic("server: a body does not marshal: " + err.Error()) // a defect of the body's type
	}
	return dst
}

// encodeEach returns the body of a list whose nth view is made only when the one before is written.
func encodeEach(count int, view func(n int) any) []byte {
	b := []byte{'['}
	for n := range count {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendBody(b, view(n))
		if n == 0 { // the others are about as long
			b = slices.Grow(b, (count-1)*len(b)*9/8+len("]\n"))
		}
	}
	return append(b, "]\n"...)
}
