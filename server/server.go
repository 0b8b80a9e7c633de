// Package server is the REST API of a cloud, as an http.Handler.
//
// Every route stands in one table. A handler turns a checked request into a body or an error and never sees the
// connection; one adapter authenticates, decodes arguments and writes answers. Clients of many years depend on details of
// the contract: status 200 for every success, JSON bodies on every method, no redirects, 404 for what belongs to others.
package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/store"
)

// Options are what a server needs besides the cloud. The zero value works.
type Options struct {
	Log       *slog.Logger  // nil discards
	TokenLife time.Duration // how long a login lasts; 0 means 15 minutes
	Release   string        // of the program, for the root page and the metrics; "" means unknown
	// Ready says what else must hold before the server calls itself ready; nil for nothing. Its error's text is shown.
	Ready func() error
	// Store is counted in the metrics; nil for none.
	Store store.Counter
	// NoOldGoClient ends the special bodies for callers with the default User-Agent of Go, see [server.oldGoClient].
	NoOldGoClient bool
}

// patience bounds how long a request is worked on. The longest wait for a node to do something is 60 seconds.
const patience = 90 * time.Second

type server struct {
	cloud         *shakenfist.Cloud
	log           *slog.Logger
	zone          string
	tokenLife     time.Duration
	tokens        *jwt.Parser
	alsoReady     func() error
	noOldGoClient bool
	logins        *gate
	root          raw
	metrics       *metrics
	mux           *http.ServeMux
}

// New returns the REST API of a cloud. The cloud may be started later: until it is ready, requests are answered with 503.
func New(cloud *shakenfist.Cloud, o Options) http.Handler {
	release := cmp.Or(o.Release, "unknown")
	s := &server{
		cloud: cloud, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), zone: cloud.Zone(),
		tokenLife: cmp.Or(o.TokenLife, 15*time.Minute), tokens: newParser(cloud.Zone()), alsoReady: o.Ready,
		noOldGoClient: o.NoOldGoClient, logins: newGate(), root: renderRoot(release, cloud.Zone()),
		metrics: newMetrics(cloud, o.Store, release), mux: http.NewServeMux(),
	}
	byPattern := map[string]map[string]route{}
	for _, rt := range s.routes() {
		if byPattern[rt.pattern] == nil {
			byPattern[rt.pattern] = map[string]route{}
		}
		byPattern[rt.pattern][rt.method] = rt
	}
	for pattern, methods := range byPattern {
		s.mux.Handle(exact(pattern), s.endpoint(methods))
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		write(w, r, http.StatusNotFound, api.Error{Error: "not found: there is no such path", Status: http.StatusNotFound})
	})
	return s
}

// exact keeps ServeMux from taking the root for the beginning of every path.
func exact(pattern string) string {
	if pattern == "/" {
		return "/{$}"
	}
	return pattern
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := requestID(r)
	w.Header().Set(api.HeaderRequestID, id)
	ctx, cancel := context.WithTimeout(event.WithRequestID(r.Context(), id), patience)
	defer cancel()
	r = normalised(r.WithContext(ctx))
	answer := &recorder{ResponseWriter: w}
	defer s.finish(answer, r, id, start)
	s.mux.ServeHTTP(answer, r)
}

// finish notes how a request ended. A handler that panicked is a defect; the process lives on.
func (s *server) finish(w *recorder, r *http.Request, id string, start time.Time) {
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		s.log.ErrorContext(r.Context(), "a request handler panicked", slog.String("request", id),
			slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		if w.status == 0 {
			e := describe(fault.New("server", fault.Internal, "", "panic"))
			write(w, r, e.Status, e)
		}
	}
	took := time.Since(start)
	s.metrics.observe(r, w.status, took)
	s.log.DebugContext(r.Context(), "request", slog.String("request", id), slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Int("status", w.status), slog.Duration("took", took))
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the answer began
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

var saneID = regexp.MustCompile(`^[A-Za-z0-9._:/+=@-]{1,128}$`)

// requestID returns the caller's name for the request if it has a sane one, otherwise a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(api.HeaderRequestID); saneID.MatchString(id) {
		return id
	}
	return uuid.NewString()
}

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
	if e.Status >= http.StatusInternalServerError && r.Context().Err() == nil && !rt.stateless {
		s.log.ErrorContext(r.Context(), "request failed", slog.String("request", event.RequestID(r.Context())),
			slog.String("route", rt.method+" "+rt.pattern), slog.Int("status", e.Status), slog.Any("error", err))
	}
	write(w, r, e.Status, e)
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
