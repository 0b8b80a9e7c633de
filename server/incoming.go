package server

import (
	"context"
	"io"
	"net/http"
	"time"
)

type unboundedKey struct{}

// bounded returns a context that ends after patience.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithValue(ctx, unboundedKey{}, ctx), patience)
}

// unbounded returns the context that bounded was given, for requests that take as long as their client sends.
func unbounded(ctx context.Context) context.Context {
	if whole, ok := ctx.Value(unboundedKey{}).(context.Context); ok {
		return whole
	}
	return ctx
}

// incoming is the body of a request that may be too long to be held in memory. How long it takes is the client's business,
// as long as some of it comes now and then.
type incoming struct {
	connection *http.ResponseController
	body       io.Reader
}

func newIncoming(w http.ResponseWriter, body io.Reader) *incoming {
	in := &incoming{connection: http.NewResponseController(w), body: body}
	// The answer is short. The bound that the server has for it began with the request, and would be over.
	_ = in.connection.SetWriteDeadline(time.Time{})
	return in
}

// Read implements io.Reader. Where there is no connection that could have a bound there is no need of one.
func (in *incoming) Read(b []byte) (int, error) {
	_ = in.connection.SetReadDeadline(time.Now().Add(stall))
	n, err := in.body.Read(b)
	if err != nil {
		_ = in.connection.SetReadDeadline(time.Time{})
	}
	return n, err
}
