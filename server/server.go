// Package server is the REST API of a cloud, as an http.Handler.
//
// Every route stands in one table. A handler turns a checked request into a body or an error and never sees the
// connection; one adapter authenticates, decodes arguments and writes answers. Clients of many years depend on details of
// the contract: status 200 for every success, JSON bodies on every method, no redirects, 404 for what belongs to others.
package server

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Options are what a server needs besides the cloud. The zero value works.
type Options struct {
	Log       *slog.Logger  // nil discards
	TokenLife time.Duration // how long a login lasts; 0 means 15 minutes
	Release   string        // of the program, for the root page and the metrics; "" means unknown
	// Ready says what else must hold before the server calls itself ready; nil for nothing. Its error's text is shown.
	Ready func() error
	// CACert is the file of the certificates, in PEM, that clients of consoles verify the cloud's own by. It need not be there.
	CACert string
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
	caCert        string
	noOldGoClient bool
	logins        *gate
	lists         *sharing
	guesses       *guesses
	root          pages
	docs          pages
	document      func() raw
	metrics       *metrics
	paths         *paths
}

// New returns the REST API of a cloud. The cloud may be started later: until it is ready, requests are answered with 503.
func New(cloud *shakenfist.Cloud, o Options) http.Handler {
	release := cmp.Or(o.Release, "unknown")
	s := &server{
		cloud: cloud, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), zone: cloud.Zone(),
		tokenLife: cmp.Or(o.TokenLife, 15*time.Minute), tokens: newParser(cloud.Zone()), alsoReady: o.Ready, caCert: o.CACert,
		noOldGoClient: o.NoOldGoClient, logins: newGate(), lists: newSharing(), guesses: newGuesses(), root: renderRoot(release, cloud.Zone()), docs: renderDocs(),
		metrics: newMetrics(cloud, o.Store, release), paths: newPaths(),
	}
	s.document = sync.OnceValue(func() raw { return tagged("application/json", document(s.routes(), release)) })
	byPattern := map[string]map[string]route{}
	for _, rt := range s.routes() {
		if byPattern[rt.pattern] == nil {
			byPattern[rt.pattern] = map[string]route{}
		}
		byPattern[rt.pattern][rt.method] = rt
	}
	for pattern, methods := range byPattern {
		s.paths.Handle(pattern, s.endpoint(methods))
	}
	s.paths.Handle(docsFile().pattern, s.endpoint(map[string]route{http.MethodGet: docsFile()}))
	s.paths.mux.HandleFunc("/", notFound)
	return s
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := requestID(r)
	w.Header().Set(api.HeaderRequestID, id)
	ctx, cancel := bounded(event.WithRequestID(r.Context(), id))
	defer cancel()
	r = normalised(r.WithContext(ctx))
	answer := &recorder{ResponseWriter: w}
	defer s.finish(answer, r, id, start)
	s.paths.ServeHTTP(answer, r)
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
