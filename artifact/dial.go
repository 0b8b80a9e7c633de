package artifact

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Bounds of a connection.
const (
	maxRedirects   = 10               // how often a source may send us elsewhere
	dialTimeout    = 15 * time.Second // to one address of several
	tlsTimeout     = 10 * time.Second
	maxHeaderBytes = 256 << 10
)

// clientFor returns a client that downloads images for a namespace: as they are, without a time limit of its own, and only
// from where they may come.
func (m *Manager) clientFor(namespace string) *http.Client {
	return &http.Client{Transport: m.transport(namespace), CheckRedirect: checkRedirect}
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer") // it would have what is secret in the URL
	if len(via) > maxRedirects {
		return fault.New(opAnswer, fault.Invalid, "", "the server redirected more than %d times, last to %s: check the URL", maxRedirects, redact(req.URL.String()))
	}
	if s := req.URL.Scheme; s != "http" && s != "https" {
		return fault.New(opAnswer, fault.Invalid, "", "the server redirected to %s, which is neither http nor https", redact(req.URL.String()))
	}
	return nil
}

// transport returns what makes the requests of a namespace. No connection is used twice: the next image is far away, in time
// and in place. A transport that was given, and is none of package http, reaches whatever it reaches.
func (m *Manager) transport(namespace string) http.RoundTripper {
	g := guard{Sources: m.Sources, namespace: namespace}
	t := &http.Transport{TLSHandshakeTimeout: tlsTimeout}
	if m.Client != nil && m.Client.Transport != nil {
		given, ok := m.Client.Transport.(*http.Transport)
		if !ok {
			return m.Client.Transport
		}
		t = given.Clone()
	}
	t.DisableCompression, t.DisableKeepAlives, t.MaxResponseHeaderBytes = true, true, maxHeaderBytes
	free := t.DialContext
	if free == nil {
		free = (&net.Dialer{Timeout: dialTimeout}).DialContext
		t.DialContext = (&net.Dialer{Timeout: dialTimeout, ControlContext: g.control}).DialContext
	} else {
		t.DialContext = g.watch(free)
	}
	if t.DialTLSContext != nil {
		t.DialTLSContext = g.watch(t.DialTLSContext)
	}
	if t.Proxy != nil {
		t.Proxy = g.watchProxy(t.Proxy)
	}
	if m.Proxy != nil {
		guarded := t.DialContext
		t.Proxy = m.Proxy.choose(g)
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == m.Proxy.address() {
				return free(ctx, network, address)
			}
			return guarded(ctx, network, address)
		}
	}
	return t
}

// watchProxy guards a choice of proxies: what a proxy is asked for is checked first, as far as it means something here.
func (g guard) watchProxy(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		proxy, err := choose(r)
		if err != nil || proxy == nil {
			return nil, err
		}
		return proxy, g.checkName(r.Context(), r.URL)
	}
}

// watch guards a dialer that resolves names itself: what it is told to connect to is checked before, and what it connected to
// before anything is sent.
func (g guard) watch(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := g.checkText(ctx, address); err != nil {
			return nil, err
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := g.checkText(ctx, conn.RemoteAddr().String()); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
}
