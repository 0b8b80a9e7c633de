package artifact_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

// serve starts a web server on loopback and returns its URL and address.
func serve(t *testing.T, h http.HandlerFunc) (url, address string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL, strings.TrimPrefix(s.URL, "http://")
}

// onSockets starts a cloud whose images come over the network of this machine.
func onSockets(t *testing.T, set func(*artifact.Deps)) *cloud {
	t.Helper()
	return newWorld(t).start(nil, func(a *artifact.Deps, _ *blob.Deps) {
		a.Client, a.Patience = nil, 2*time.Second
		set(a)
	}).withNamespaces()
}

func TestAMirrorOnLoopbackIsFineAndTheCloudItselfIsNot(t *testing.T) {
	t.Parallel()
	image := disk(10, 1)
	mirror, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(image) })
	var reached atomic.Int64
	own, address := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	c := onSockets(t, func(a *artifact.Deps) { a.Sources.Own = []string{address} })
	a, err := c.fetched(mirror + "/disk.img")
	require.NoError(t, err)
	require.Len(t, a.Versions, 1)

	redirect, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, own+"/nodes", http.StatusFound) })
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	for _, source := range []string{
		own + "/nodes", redirect + "/disk.img", "http://localhost:" + port + "/nodes", "http://[::ffff:127.0.0.1]:" + port + "/nodes",
	} {
		before := time.Now()
		_, err := c.fetched(source)
		require.ErrorIs(t, err, fault.Forbidden, source)
		require.Contains(t, fault.Text(err), "which is where this cloud itself listens; an operator can allow it with IMAGE_SOURCE_ALLOW")
		require.Less(t, time.Since(before), time.Second, "it is not asked again")
	}
	require.Zero(t, reached.Load())
}

func TestARedirectToTheMetadataOfAMachineIsRefused(t *testing.T) {
	t.Parallel()
	redirect, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	c := onSockets(t, func(*artifact.Deps) {})
	_, err := c.fetched(redirect)
	require.ErrorIs(t, err, fault.Forbidden)
	require.Contains(t, fault.Text(err), "no image may come from 169.254.169.254:80, which is a link-local address")
}

// A name may mean a mirror when it is looked at, and something else when it is connected to: what counts is the connection.
func TestANameThatMeansSomethingElseByThenIsRefused(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	_, address := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	c := onSockets(t, func(a *artifact.Deps) {
		a.Sources.Deny = []artifact.Range{{Prefix: netip.MustParsePrefix("127.0.0.0/8")}}
		a.Client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address) // as a resolver does that changes its mind
		}}}
	})
	_, err := c.fetched("http://mirror.test/disk.img")
	require.ErrorIs(t, err, fault.Forbidden)
	require.Contains(t, fault.Text(err), "IMAGE_SOURCE_DENY")
	require.Zero(t, reached.Load())
}

// Whoever gives the cloud a client with a proxy, or a TLS dialer, is guarded as well.
func TestAClientThatWasGivenIsGuarded(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	proxy, address := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	to, err := url.Parse(proxy)
	require.NoError(t, err)
	c := onSockets(t, func(a *artifact.Deps) {
		a.Client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(to)}}
	})
	_, err = c.fetched("http://169.254.169.254/")
	require.ErrorIs(t, err, fault.Forbidden)

	c = onSockets(t, func(a *artifact.Deps) {
		a.Sources.Own = []string{address}
		a.Client = &http.Client{Transport: &http.Transport{DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}}}
	})
	_, err = c.fetched("https://mirror.test/disk.img")
	require.ErrorIs(t, err, fault.Forbidden)
	require.Zero(t, reached.Load())
}

func TestAProxyIsAskedForWhatItMayFetch(t *testing.T) {
	t.Parallel()
	image := disk(10, 1)
	asked := make(chan string, 10)
	proxy, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.String() + " " + r.Host
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write(image)
	})
	p, err := artifact.ParseProxy(strings.Replace(proxy, "http://", "http://user:hush@", 1), "10.0.0.0/8, .inside.test")
	require.NoError(t, err)
	c := onSockets(t, func(a *artifact.Deps) {
		a.Proxy = p
		a.Sources.Deny = []artifact.Range{{Prefix: netip.MustParsePrefix("127.0.0.0/8")}} // the proxy's address is fine for the proxy
		a.Patience = 400 * time.Millisecond
	})
	_, err = c.fetched("http://203.0.113.7/disk.img")
	require.NoError(t, err)
	require.Equal(t, "GET http://203.0.113.7/disk.img 203.0.113.7", <-asked)

	_, err = c.fetched("https://203.0.113.7/disk.img")
	require.ErrorIs(t, err, fault.Unavailable)
	require.NotContains(t, err.Error(), "hush")
	require.Equal(t, "CONNECT //203.0.113.7:443 203.0.113.7:443", <-asked)
	for len(asked) > 0 {
		<-asked
	}
	for _, source := range []string{"http://169.254.169.254/", "https://169.254.169.254/", "http://" + address + "/self", "http://127.0.0.1:1/"} {
		_, err = c.fetched(source)
		require.ErrorIs(t, err, fault.Forbidden, source)
	}
	require.Empty(t, asked, "what is refused is not sent to the proxy")
}
