package artifact

import (
	"context"
	"crypto/tls"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"

	"github.com/shakenfist/shakenfist/fault"
)

// maxRedirects bounds how often a source may send us elsewhere.
const maxRedirects = 10

// newClient returns a client that downloads images: as they are, and without a time limit of its own.
func newClient(given *http.Client) *http.Client {
	c := &http.Client{}
	if given != nil {
		*c = *given
	}
	if t, ok := http.DefaultTransport.(*http.Transport); ok && c.Transport == nil {
		t = t.Clone()
		t.DisableCompression = true // bytes are kept as they lie at the source
		t.DisableKeepAlives = true  // the next image is far away, in time and in place
		c.Transport = t
	}
	c.Timeout = 0
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		const op = "fetch image"
		if len(via) > maxRedirects {
			return fault.New(op, fault.Invalid, "", "the server redirected more than %d times, last to %s: check the URL", maxRedirects, redact(req.URL.String()))
		}
		if s := req.URL.Scheme; s != "http" && s != "https" {
			return fault.New(op, fault.Invalid, "", "the server redirected to %s, which is neither http nor https", redact(req.URL.String()))
		}
		return nil
	}
	return c
}

// ask asks for the content at a URL, or for nothing if it is still what is known. It fails with fault.Unavailable if trying
// again may help, and with fault.Invalid if not.
func (m *Manager) ask(ctx context.Context, from string, known origin) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, fault.New("fetch image", fault.Invalid, "", "%s cannot be asked for", redact(from))
	}
	req.Header.Set("User-Agent", "shakenfist")
	req.Header.Set("Accept-Encoding", "identity")
	if known.URL == from {
		setIf(req.Header, "If-None-Match", known.ETag)
		setIf(req.Header, "If-Modified-Since", known.LastModified)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return nil, connectionError(err)
	}
	if err := statusError(resp, known.URL == from); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func setIf(h http.Header, key, value string) {
	if value != "" {
		h.Set(key, value)
	}
}

// unchanged reports whether a response says that its content is the one that is known: by its status, by its ETag, or
// where servers have none by both its date and its length.
func unchanged(resp *http.Response, from string, known origin) bool {
	switch {
	case resp.StatusCode == http.StatusNotModified:
		return true
	case known.URL != from:
		return false
	}
	if tag := resp.Header.Get("ETag"); tag != "" || known.ETag != "" {
		return tag == known.ETag
	}
	date := resp.Header.Get("Last-Modified")
	return date != "" && date == known.LastModified && resp.ContentLength >= 0 && resp.ContentLength == known.Length
}

// refusal says why the content of a response can't be an image. Most of that is the header guard's to say; this saves a
// download.
func refusal(resp *http.Response) error {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && (kind == "text/html" || kind == "application/xhtml+xml") {
		return fault.New("fetch image", fault.Invalid, "", "the server answered with an HTML page, not with a disk image: check the URL, and whether it wants a login")
	}
	return nil
}

func statusError(resp *http.Response, conditional bool) error {
	const op = "fetch image"
	switch code := resp.StatusCode; {
	case code == http.StatusOK, code == http.StatusNotModified && conditional:
		return nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return fault.New(op, fault.Unavailable, "", "the server answered %s", resp.Status)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fault.New(op, fault.Invalid, "", "the server answered %s: there is no such image, check the URL", resp.Status)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.New(op, fault.Invalid, "", "the server answered %s: it does not give this image to us, check the URL and whether it wants a login", resp.Status)
	}
	return fault.New(op, fault.Invalid, "", "the server answered %s instead of an image: check the URL", resp.Status)
}

// connectionError sorts why there is no response. The URL in it is dropped: it may hold a secret.
func connectionError(err error) error {
	const op = "fetch image"
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known // by the redirect policy
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.New(op, fault.Invalid, "", "there is no host %s: check the URL", dns.Name)
	case errors.As(err, &certificate):
		return fault.Because(op, fault.Invalid, "", certificate.Err, "the server cannot prove who it is")
	}
	return fault.Because(op, fault.Unavailable, "", err, "the server cannot be reached, or broke off")
}
