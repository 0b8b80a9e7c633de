package artifact

import (
	"context"
	"crypto/tls"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// What was being done when a source failed.
const (
	opConnect = "ask image source"   // no answer
	opAnswer  = "understand source"  // an answer that is no image
	opRead    = "read image source"  // it broke off
	opCheck   = "check image source" // what came is not what it should be
)

// ask asks for the content at a URL. It returns nil if that is what is known. It fails with fault.Unavailable if trying again
// may help, and with fault.Invalid or fault.Forbidden if not.
func ask(ctx context.Context, client *http.Client, from string, known origin) (*offer, error) {
	header := http.Header{}
	if known.URL == from {
		setIf(header, "If-None-Match", known.ETag)
		setIf(header, "If-Modified-Since", known.LastModified)
	}
	resp, err := get(ctx, client, from, header)
	if err != nil {
		return nil, err
	}
	err = statusError(resp, known.URL == from)
	if err == nil && !unchanged(resp, from, known) {
		if err = refusal(resp); err == nil {
			return offerOf(resp, from), nil
		}
	}
	_ = resp.Body.Close()
	return nil, err
}

// offerOf describes the content that a response begins.
func offerOf(resp *http.Response, from string) *offer {
	o := &offer{reader: resp.Body, size: resp.ContentLength, sum: sumOfHeader(resp.Header)}
	o.modified, _ = http.ParseTime(resp.Header.Get("Last-Modified")) // zero if it isn't said, or not as it should be
	o.from = origin{URL: from, ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"), Length: o.size}
	o.resumable = validator(resp.Header) != ""
	return o
}

// get makes one request. The response may have any status.
func get(ctx context.Context, client *http.Client, from string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, fault.New(opConnect, fault.Invalid, "", "%s cannot be asked for", redact(from))
	}
	req.Header = header
	req.Header.Set("User-Agent", "shakenfist")
	req.Header.Set("Accept-Encoding", "identity") // bytes are kept as they lie at the source
	resp, err := client.Do(req)
	if err != nil {
		return nil, connectionError(err)
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
		return fault.New(opAnswer, fault.Invalid, "", "the server answered with an HTML page, not with a disk image: check the URL, and whether it wants a login")
	}
	return nil
}

func statusError(resp *http.Response, conditional bool) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK, code == http.StatusNotModified && conditional:
		return nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		if pause := retryAfter(resp); pause > 0 {
			return fault.Because(opAnswer, fault.Unavailable, "", busy(pause), "the server answered %s", resp.Status)
		}
		return fault.New(opAnswer, fault.Unavailable, "", "the server answered %s", resp.Status)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fault.New(opAnswer, fault.Invalid, "", "the server answered %s: there is no such image, check the URL", resp.Status)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.New(opAnswer, fault.Invalid, "", "the server answered %s: it does not give this image to us, check the URL and whether it wants a login", resp.Status)
	}
	return fault.New(opAnswer, fault.Invalid, "", "the server answered %s instead of an image: check the URL", resp.Status)
}

// busy says for how long a server wants to be left alone.
type busy time.Duration

func (b busy) Error() string {
	return "it wants to be left alone for " + time.Duration(b).Round(time.Second).String()
}

// retryAfter returns how long a server wants to be left alone; 0 if it doesn't say.
func retryAfter(resp *http.Response) time.Duration {
	text := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(n, int(maxQuiet/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(time.Until(at), maxQuiet)
	}
	return 0
}

// connectionError sorts why there is no response. The URL in it is dropped: it may hold a secret.
func connectionError(err error) error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known // by the redirect policy, or the guard
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.New(opConnect, fault.Invalid, "", "there is no host %s: check the URL", dns.Name)
	case errors.As(err, &certificate):
		return fault.Because(opConnect, fault.Invalid, "", certificate.Err, "the server cannot prove who it is")
	}
	return fault.Because(opConnect, fault.Unavailable, "", err, "the server cannot be reached, or broke off")
}
