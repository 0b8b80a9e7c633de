package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/namespace"
)

// endpoint serves the methods of one path.
func (s *server) endpoint(methods map[string]route) http.Handler {
	allow := []string{http.MethodOptions}
	for m := range methods {
		allow = append(allow, m)
		if m == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	allowed := joinSorted(allow)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		rt, ok := methods[method]
		switch {
		case ok:
			s.answer(w, r, rt)
		case r.Method == http.MethodOptions:
			w.Header().Set("Allow", allowed)
			write(w, r, http.StatusOK, nil)
		default:
			w.Header().Set("Allow", allowed)
			write(w, r, http.StatusMethodNotAllowed, methodNotAllowed{"The method is not allowed for the requested URL."})
		}
	})
}

// methodNotAllowed is the one error body that is not an api.Error.
type methodNotAllowed struct {
	Message string `json:"message"`
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, rt route) {
	body, err := s.serve(w, r, rt)
	if err == nil {
		write(w, r, http.StatusOK, body)
		return
	}
	var stale staleToken
	if errors.As(err, &stale) && strings.Contains(r.Header.Get("Accept"), "text/html") {
		write(w, r, http.StatusFound, moved{"/"}) // a person with a browser; programs never get here
		return
	}
	e := describe(err)
	level := levelOf(r.Context(), e.Status)
	if passing, ok := errors.AsType[later](err); ok {
		w.Header().Set("Retry-After", passing.seconds())
		level = slog.LevelDebug // that callers do too much at once is their business
	}
	if !rt.stateless {
		s.log.Log(r.Context(), level, "request failed", slog.String("request", event.RequestID(r.Context())),
			slog.String("route", rt.method+" "+rt.pattern), slog.Int("status", e.Status), slog.Any("error", err))
	}
	write(w, r, e.Status, e)
}

// levelOf is how much a failed request is the operator's business. That a caller asked for the wrong thing, or for more than
// there is, or went away, is not: the caller hears of it.
func levelOf(ctx context.Context, status int) slog.Level {
	if status < http.StatusInternalServerError || status == http.StatusInsufficientStorage || ctx.Err() != nil {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// serve runs a request: what the store knows now, who calls, what they say, and then the handler.
func (s *server) serve(w http.ResponseWriter, r *http.Request, rt route) (any, error) {
	c := &call{Request: r}
	if !rt.stateless {
		if err := s.current(r.Context()); err != nil {
			return nil, err
		}
	}
	if rt.who != nobody {
		login, err := s.authenticate(r)
		if err != nil {
			return nil, err
		}
		c.namespace = login.Namespace
		if rt.who == admin && login.Namespace != namespace.System {
			return nil, unauthorized("unauthorized")
		}
	}
	if rt.raw {
		c.Request, c.body = r.WithContext(unbounded(r.Context())), newIncoming(w, r.Body)
		return rt.handle(c)
	}
	var err error
	if c.args, err = readArguments(w, r, rt.known()); err != nil {
		return nil, err
	}
	return rt.handle(c)
}

// starting bounds how long a request waits for a cloud that has just been started.
const starting = 5 * time.Second

// current waits until the cloud runs and this process sees everything that was committed before the request.
func (s *server) current(ctx context.Context) error {
	running, cancel := context.WithTimeout(ctx, starting)
	defer cancel()
	if err := s.cloud.Ready(running); err != nil {
		return err
	}
	return s.cloud.Fresh(ctx)
}
