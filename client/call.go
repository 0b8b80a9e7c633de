package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// request is one request to the server.
type request struct {
	method string
	url    string
	path   string // for messages; without the base
	id     string // X-Request-ID
	token  string // "" for none
	body   any    // encoded as JSON, on GET and DELETE too, unless it is bytesBody; nil for none
	safe   bool   // changes nothing, so that it may be sent again

	deadline time.Time // when patience with a server that is busy or not ready ends
}

type idKey struct{}

// WithRequestID returns a context whose calls carry id as their request id, by which the server's logs and the events it
// records can be found. Without it each call makes one up.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// call sends a request to the path that pattern and args make, and decodes the answer into into, unless that is nil.
func (c *Client) call(ctx context.Context, method, pattern string, args []string, body, into any) error {
	answer, err := c.open(ctx, method, pattern, args, nil, body)
	if err != nil {
		return err
	}
	return decode(answer, method, answer.Request.URL.Path, into)
}

// open is call for requests that have a query, and for answers that are read by the caller, who must close the body.
func (c *Client) open(ctx context.Context, method, pattern string, args []string, query url.Values, body any) (*http.Response, error) {
	if slices.Contains(args, "") {
		return nil, fault.New(method, fault.Invalid, pattern, "the name is empty")
	}
	r := request{
		method: method, path: api.Path(pattern, args...), body: body, safe: method == http.MethodGet,
		deadline: time.Now().Add(c.s.o.Strategy.Patience()),
	}
	if r.id, _ = ctx.Value(idKey{}).(string); r.id == "" {
		r.id = uuid.NewString()
	}
	base, err := c.s.baseURL(ctx)
	if err != nil {
		return nil, err
	}
	r.url = base + r.path
	if len(query) > 0 {
		r.url += "?" + query.Encode()
	}
	return c.s.whenReady(ctx, r)
}

// exchange sends a request and decodes the answer.
func (s *session) exchange(ctx context.Context, r request, into any) error {
	answer, err := s.succeed(ctx, r)
	if err != nil {
		return err
	}
	return decode(answer, r.method, r.path, into)
}

// roundTrip sends one request and returns whatever the answer is.
func (s *session) roundTrip(ctx context.Context, r request) (*http.Response, error) {
	q, err := s.httpRequest(ctx, r)
	if err != nil {
		return nil, fault.Because(r.method, fault.Invalid, r.path, err, "cannot make the request")
	}
	start := time.Now()
	answer, err := s.http.Do(q)
	e := Exchange{Method: r.method, URL: r.url, RequestID: r.id, Duration: time.Since(start), Err: err}
	if err == nil {
		e.Status = answer.StatusCode
		if id := answer.Header.Get(api.HeaderRequestID); id != "" {
			e.RequestID = id
		}
	}
	if s.o.Trace != nil {
		s.o.Trace(e)
	}
	if err != nil {
		return nil, unreachable(ctx, r, err)
	}
	return answer, nil
}

func (s *session) httpRequest(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	kind := "application/json"
	if b, ok := r.body.(bytesBody); ok {
		body, kind = bytes.NewReader(b), "application/octet-stream"
	} else if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		return nil, err
	}
	q.Header.Set("User-Agent", s.o.UserAgent)
	q.Header.Set(api.HeaderRequestID, r.id)
	if body != nil {
		q.Header.Set("Content-Type", kind)
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	return q, nil
}

// decode reads the JSON of an answer into into, and closes it.
func decode(answer *http.Response, method, path string, into any) error {
	defer answer.Body.Close() //nolint:errcheck // only read
	if into == nil {
		_, err := io.Copy(io.Discard, answer.Body)
		return broken(method, path, err)
	}
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return broken(method, path, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		text := strings.ToValidUTF8(string(b[:min(len(b), 80)]), "?")
		return fault.Because(method, fault.Internal, path, err, "the answer is not what the API promises, is this the right URL? It begins %q", text)
	}
	return nil
}
