package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// maxErrorBody bounds how much of an error's body is read, in bytes.
const maxErrorBody = 64 << 10

// kindOf returns what a status means.
func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusBadRequest:
		return fault.Invalid
	case http.StatusUnauthorized:
		return fault.Unauthorized
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusNotAcceptable:
		return fault.NotReady
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusInsufficientStorage:
		return fault.Exhausted
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.Unavailable
	}
	if status/100 == 4 {
		return fault.Invalid
	}
	return fault.Internal
}

// refusal returns the error that an answer other than 200 stands for, and closes it.
func refusal(r request, answer *http.Response) error {
	body, err := readAll(answer, maxErrorBody)
	if err != nil {
		return err
	}
	kind, text := kindOf(answer.StatusCode), errorText(body)
	switch {
	case answer.StatusCode/100 == 3:
		kind, text = fault.Invalid, "the server redirects to "+answer.Header.Get("Location")+"; set the API URL to where the API is"
	case strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html"):
		text = host(r.url) + " answers with a web page and status " + answer.Status + "; is the API URL right?"
	case text == "":
		text = answer.Status
	}
	if id := answer.Header.Get(api.HeaderRequestID); kind == fault.Internal && id != "" {
		text += " (request " + id + ")"
	}
	if answer.StatusCode == http.StatusRequestEntityTooLarge {
		return fault.Because(r.method, kind, r.path, tooLargeError{}, "%s", text)
	}
	return fault.New(r.method, kind, r.path, "%s", text)
}

// tooLargeError is why the server, or what stands before it, refuses a body of that size.
type tooLargeError struct{}

func (tooLargeError) Error() string { return "the request is too large" }

// errorText returns what a body says is wrong: the text of an error body, its JSON if it is not text, the body itself if
// it is no error body.
func errorText(body []byte) string {
	var e struct {
		Error   any    `json:"error"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &e) != nil {
		return strings.TrimSpace(strings.ToValidUTF8(string(body), "?"))
	}
	switch text := e.Error.(type) {
	case string:
		return text
	case nil:
		return e.Message
	}
	b, err := json.Marshal(e.Error)
	if err != nil {
		return strings.TrimSpace(string(body))
	}
	return string(b)
}

// unreachable returns the error for a request without an answer. It names no more of the URL than its host.
func unreachable(ctx context.Context, r request, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fault.Because(r.method, fault.Unavailable, r.path, cause, "gave up waiting for %s", host(r.url))
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fault.Because(r.method, fault.Unavailable, r.path, err, "no answer from %s; is the API URL right and the server up?", host(r.url))
}

// broken returns the error for an answer that ended too early; nil if err is.
func broken(method, path string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Because(method, fault.Unavailable, path, err, "the answer broke off")
}

// readAll reads and closes an answer's body, at most limit bytes of it.
func readAll(answer *http.Response, limit int64) ([]byte, error) {
	defer answer.Body.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(answer.Body, limit))
	return b, broken(answer.Request.Method, answer.Request.URL.Path, err)
}
