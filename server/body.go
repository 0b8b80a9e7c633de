package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Limits of a request's body.
const (
	maxBody  = 1<<20 + 512<<10  // bytes: 1 MiB, and 256 KiB of user data in base64 with room for escapes
	maxDepth = 64               // of JSON lists and objects within each other
	bodyTime = 30 * time.Second // from the end of the header on
)

// readArguments returns what a request's body and query string say, by name. Clients send a JSON object with every
// method, also with GET and DELETE, whatever the Content-Type. A body that is no JSON counts as none; one that is JSON but
// no object is an error.
func readArguments(w http.ResponseWriter, r *http.Request, known []arg) (args, error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	raw := map[string]any{}
	if tooDeep(body) {
		return nil, invalid("the request body nests lists and objects more than %d deep", maxDepth)
	}
	if v, ok := parse(body); ok {
		if raw, ok = v.(map[string]any); !ok {
			return nil, invalid("the request body is JSON but not an object; send {\"argument\": value, ...}")
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("the query string cannot be read: %.200v", err)
	}
	fromQuery(raw, query, known)
	return decode("", raw, known)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// Not every server that this handler is given to has bounds of its own. What has no connection needs none.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTime))
	defer connection.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, invalid("the request body is larger than %d bytes", maxBody)
	case err != nil:
		return nil, fault.Because("server.readBody", fault.Invalid, "", err, "the request body ended early, or was slower than %v", bodyTime)
	}
	return body, nil
}

// parse returns the one JSON value that text is, if it is not too deep to be kept and read again.
func parse(text []byte) (any, bool) {
	if tooDeep(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, errors.Is(err, io.EOF)
}

// tooDeep looks at brackets outside of strings only; what is no JSON at all may pass.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
