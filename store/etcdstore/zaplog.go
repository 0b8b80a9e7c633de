package etcdstore

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/soheilhy/cmux"
	etcderrors "go.etcd.io/etcd/server/v3/etcdserver/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
)

// zapCore hands etcd's log to a slog.Logger.
type zapCore struct {
	zapcore.LevelEnabler
	log *slog.Logger
}

// zapLogger returns the logger etcd wants, for what is of a level or worse.
func zapLogger(log *slog.Logger, level zapcore.Level) *zap.Logger {
	return zap.New(&zapCore{LevelEnabler: level, log: log.With(slog.String("part", "etcd"))})
}

// With implements zapcore.Core.
func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{LevelEnabler: c.LevelEnabler, log: slog.New(c.log.Handler().WithAttrs(attrs(fields)))}
}

// Check implements zapcore.Core.
func (c *zapCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c *zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if expected(e, fields) {
		return nil
	}
	level := slog.LevelWarn
	if e.Level >= zapcore.ErrorLevel {
		level = slog.LevelError
	}
	c.log.LogAttrs(context.Background(), level, e.Message, attrs(fields)...)
	return nil
}

// Sync implements zapcore.Core.
func (c *zapCore) Sync() error { return nil }

// expected reports whether an entry says nothing to the operator: it tells of how we arranged things, or of an error
// that somebody is given anyway.
func expected(e zapcore.Entry, fields []zapcore.Field) bool {
	switch e.Message {
	case "Running http and grpc server on single port. This is not recommended for production.",
		"simple token is not cryptographically signed", // the socket is for the owner of the process
		// Of a store killed before its first snapshot. Nobody upgrades an embedded server by itself.
		"Failed to detect storage schema version. Please wait till wal snapshot before upgrading cluster.":
		return true
	case "server has stopped; skipping GoAttach", // something still began while Close was under way
		"failed to apply request",                                // the caller gets the error
		"failed to publish local member to cluster through raft": // tried again at once, until Embedded returns
		return true
	case "Failed to detect schema version", "failed to update storage version": // of a store that has no commit yet
		return slices.ContainsFunc(fields, func(f zapcore.Field) bool {
			err, ok := f.Interface.(error)
			return ok && strings.HasSuffix(err.Error(), "missing term information")
		})
	}
	if strings.Contains(e.Message, "cannot campaign at term") { // a new server, one tick too early
		return true
	}
	return slices.ContainsFunc(fields, func(f zapcore.Field) bool {
		err, ok := f.Interface.(error)
		return ok && closedByUs(err)
	})
}

// closedByUs reports whether err is how the parts of a server take note of its Close.
func closedByUs(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) ||
		errors.Is(err, cmux.ErrServerClosed) || errors.Is(err, cmux.ErrListenerClosed) ||
		errors.Is(err, grpc.ErrServerStopped) ||
		errors.Is(err, etcderrors.ErrCanceled) || errors.Is(err, etcderrors.ErrStopped)
}

func attrs(fields []zapcore.Field) []slog.Attr {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	all := make([]slog.Attr, 0, len(enc.Fields))
	for _, key := range slices.Sorted(maps.Keys(enc.Fields)) {
		all = append(all, slog.Any(key, enc.Fields[key]))
	}
	return all
}
