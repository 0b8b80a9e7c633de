package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// maxPage bounds how much of the root page is read, in bytes.
const maxPage = 1 << 20

// headerTimeout bounds the wait for the first byte of an answer. The server itself never takes longer than a minute.
const headerTimeout = 2 * time.Minute

// session is what all clients made by In share.
type session struct {
	o    Options
	http *http.Client

	// turn has one element, held while the fields below are used. A channel and not a mutex, since the holder may be
	// waiting for the server and others must still be able to give up.
	turn   chan struct{}
	base   string // without a slash at its end
	probed bool   // base was looked at, and page read
	page   string
	token  string // "" until the first login
}

func newSession(o Options, base string) *session {
	h := o.HTTPClient
	if h == nil {
		t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // documented to be one
		t.ResponseHeaderTimeout = headerTimeout
		h = &http.Client{Transport: t}
	}
	own := *h
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &session{o: o, http: &own, base: base, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// lock waits for its turn and returns the function that passes it on.
func (s *session) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case <-s.turn:
		return func() { s.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, fault.Because("client", fault.Unavailable, "", context.Cause(ctx), "gave up waiting to log in")
	}
}

// baseURL returns where the server is, having asked it once whether it moved.
func (s *session) baseURL(ctx context.Context) (string, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	return s.base, s.probe(ctx)
}

// probe reads the root page once. A server that answers 301 says where the API really is, typically under https; from
// then on that is used. The caller holds the turn.
func (s *session) probe(ctx context.Context) error {
	for range 2 {
		if s.probed {
			return nil
		}
		answer, err := s.roundTrip(ctx, request{method: http.MethodGet, url: s.base, id: uuid.NewString()})
		if err != nil {
			return err
		}
		page, err := readAll(answer, maxPage)
		if err != nil {
			return err
		}
		if answer.StatusCode/100 != 3 {
			s.page, s.probed = string(page), true
			return nil
		}
		if err := s.move(answer); err != nil {
			return err
		}
	}
	return fault.New("client", fault.Invalid, s.base, "the server at %s keeps redirecting; set the API URL to where it really is", s.base)
}

// move follows a redirect of the base URL, if it is permanent, and does not give up encryption.
func (s *session) move(answer *http.Response) error {
	location := answer.Header.Get("Location")
	base, err := parseBase(location)
	switch {
	case answer.StatusCode != http.StatusMovedPermanently:
		return fault.New("client", fault.Invalid, s.base, "%s redirects with status %d to %q; set the API URL to where the API is",
			s.base, answer.StatusCode, location)
	case err != nil:
		return fault.New("client", fault.Invalid, s.base, "%s redirects to %q, which is not the absolute URL of a server", s.base, location)
	case strings.HasPrefix(s.base, "https:") && !strings.HasPrefix(base, "https:"):
		return fault.New("client", fault.Invalid, s.base, "%s redirects to %s, which is not encrypted; refusing to send a key there", s.base, base)
	}
	s.base = base
	return nil
}

// bearer returns a token other than the refused one, logging in if there is none.
func (s *session) bearer(ctx context.Context, refused string) (string, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if s.token != "" && s.token != refused {
		return s.token, nil
	}
	if s.o.Namespace == "" || s.o.Key == "" {
		return "", fault.New("client", fault.Unauthorized, "", "no namespace and key to log in with; give both")
	}
	if err := s.probe(ctx); err != nil {
		return "", err
	}
	var token api.Token
	login := request{
		method: http.MethodPost, url: s.base + api.PathAuth, path: api.PathAuth, id: uuid.NewString(),
		body: api.Auth{Namespace: s.o.Namespace, Key: s.o.Key}, safe: true, deadline: time.Now().Add(s.o.Strategy.Patience()),
	}
	if err := s.exchange(ctx, login, &token); errors.Is(err, fault.Unauthorized) {
		return "", fault.New("client", fault.Unauthorized, api.PathAuth, "%s: there is no namespace %q, or it has no such key", fault.Text(err), s.o.Namespace)
	} else if err != nil {
		return "", err
	}
	if token.AccessToken == "" {
		return "", fault.New("client", fault.Internal, api.PathAuth, "the server at %s let us in without a token; is it the API?", host(s.base))
	}
	s.token = token.AccessToken
	return s.token, nil
}

// host returns the host of a URL, for messages.
func host(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.Host
}
