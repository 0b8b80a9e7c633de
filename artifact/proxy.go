package artifact

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Proxy is a server that is asked in place of images' sources. Loopback addresses are always asked themselves.
type Proxy struct {
	url    *url.URL
	except []string // lower case
}

// ParseProxy reads the URL of a proxy, http://host:port or host:port, and what is asked without it, separated by commas: names,
// each with the names below it, addresses, CIDRs, or * for everything. It returns nil if there is no proxy. It fails with
// fault.Invalid, and never says a password.
func ParseProxy(server, except string) (*Proxy, error) {
	const op = "artifact.ParseProxy"
	if server = strings.TrimSpace(server); server == "" {
		return nil, nil //nolint:nilnil // no proxy is none
	}
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return nil, fault.New(op, fault.Invalid, "", "the proxy's URL cannot be understood; use http://host:port")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		return nil, fault.New(op, fault.Invalid, "", "a proxy's URL begins with http://, https:// or socks5://, not with %s://", u.Scheme)
	case u.Hostname() == "":
		return nil, fault.New(op, fault.Invalid, "", "the proxy's URL names no host; use http://host:port")
	}
	p := &Proxy{url: u}
	for word := range strings.SplitSeq(except, ",") {
		if word = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(word)), "."); word != "" {
			p.except = append(p.except, word)
		}
	}
	return p, nil
}

// direct reports whether a host is asked without the proxy.
func (p *Proxy) direct(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	addr, err := netip.ParseAddr(host)
	isAddr := err == nil
	if host == "localhost" || isAddr && addr.Unmap().IsLoopback() {
		return true
	}
	return slices.ContainsFunc(p.except, func(word string) bool {
		if word == "*" || word == host || !isAddr && strings.HasSuffix(host, "."+word) {
			return true
		}
		prefix, err := netip.ParsePrefix(word)
		return isAddr && err == nil && prefix.Contains(addr.Unmap())
	})
}

// address is where the proxy is, as host:port.
func (p *Proxy) address() string { return addressOf(p.url) }

// addressOf returns the host and port that a URL means.
func addressOf(u *url.URL) string {
	ports := map[string]string{"http": "80", "https": "443", "socks5": "1080"}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), ports[u.Scheme]))
}

// choose is a http.Transport's Proxy for a namespace. The proxy resolves names itself, so an address that a name has here is
// checked here. A name that has none here is the proxy's to judge: it is what stands between us and that name.
func (p *Proxy) choose(g guard) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		direct := p.direct(r.URL.Hostname())
		if direct && addressOf(r.URL) != p.address() {
			return nil, nil //nolint:nilnil // what http.Transport takes for no proxy; the dialer checks
		}
		if err := g.checkName(r.Context(), r.URL); err != nil || direct {
			return nil, err
		}
		return p.url, nil
	}
}

// resolving bounds how long a name may take that a proxy is asked for: where there is a proxy, there may be nobody to ask.
const resolving = 2 * time.Second

// checkName checks every address that the host of a URL has.
func (g guard) checkName(ctx context.Context, u *url.URL) error {
	bounded, cancel := context.WithTimeout(ctx, resolving)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(bounded, "ip", u.Hostname())
	if err != nil {
		return nil //nolint:nilerr // see choose
	}
	_, port, err := net.SplitHostPort(addressOf(u))
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if err := g.checkText(ctx, net.JoinHostPort(a.String(), port)); err != nil {
			return err
		}
	}
	return nil
}
