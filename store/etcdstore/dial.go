package etcdstore

import (
	"context"
	"crypto/tls"
	"log/slog"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/shakenfist/shakenfist/fault"
)

// A connection on which nothing is heard for keepAliveTime is tried, and given up after keepAliveTimeout more, so that
// a machine that fell silent costs one Timeout and not TCP's quarter of an hour. An etcd refuses more than one try in
// five seconds.
const (
	keepAliveTime    = 10 * time.Second
	keepAliveTimeout = 3 * time.Second
)

// reconnectMax bounds how long a lost connection is left alone between two tries. By itself gRPC waits up to two
// minutes, and so long a cloud would stay away after its etcd has come back.
const reconnectMax = 2 * time.Second

// DialOptions say which etcd to use and how.
type DialOptions struct {
	Endpoints []string     // required; such as "10.0.0.1:2379", "https://etcd1:2379", "unix:///run/etcd.sock"
	TLS       *tls.Config  // nil means no TLS
	Username  string       // "" means that etcd asks for none
	Password  string       // of Username
	Prefix    string       // of all keys; "" means DefaultPrefix; at most 100 bytes
	Logger    *slog.Logger // nil discards
}

// Dial connects to an etcd cluster of version 3.6 or later. It fails with fault.Unavailable if none of the endpoints
// serves within Timeout.
func Dial(ctx context.Context, o DialOptions) (*Store, error) {
	const op = "etcdstore.Dial"
	where := strings.Join(o.Endpoints, ",")
	if where == "" {
		return nil, fault.New(op, fault.Invalid, "", "no etcd endpoints were given")
	}
	prefix, err := cleanPrefix(op, o.Prefix)
	if err != nil {
		return nil, err
	}
	log := loggerOr(o.Logger)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: o.Endpoints, TLS: o.TLS, Username: o.Username, Password: o.Password,
		DialTimeout: Timeout, DialKeepAliveTime: keepAliveTime, DialKeepAliveTimeout: keepAliveTimeout,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnectMax},
			MinConnectTimeout: Timeout,
		})},
		// What fails is told to the caller, so the client's warnings would only repeat it.
		Logger: zapLogger(log, zapcore.ErrorLevel),
	})
	if err != nil {
		return nil, fault.Because(op, fault.Unavailable, where, err, "cannot use etcd at %s", where)
	}
	s := newStore(client, prefix, log)
	if _, err := s.List(ctx, "", "", 1); err != nil {
		_ = s.Close() // nothing was written; why it does not serve is what counts
		return nil, fault.Because(op, fault.KindOf(err), where, err, "cannot use etcd at %s", where)
	}
	return s, nil
}

// cleanPrefix returns the prefix with the slash that ends it.
func cleanPrefix(op, prefix string) (string, error) {
	if prefix == "" {
		return DefaultPrefix, nil
	}
	prefix = strings.TrimRight(prefix, "/") + "/"
	if len(prefix) > 100 { // it is repeated in every op and check, and etcd bounds a request's size
		return "", fault.New(op, fault.Invalid, "", "a key prefix of %d bytes, at most 100: %s", len(prefix), prefix)
	}
	return prefix, nil
}

func loggerOr(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
