package artifact

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// anew says that content can't be gone on with where it broke off, and has to be got from its beginning.
type anew struct {
	error

	next *conn // that beginning, if the server sent it unasked; nil otherwise
	odd  bool  // the server did not do as servers do: it gets one more chance
}

func (a *anew) Unwrap() error { return a.error }

// validator returns what a server is asked to go on by, if its content is still that: a strong ETag, or a date that is old
// enough to tell one content from the next. "" if there is neither.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	if date, err := http.ParseTime(h.Get("Date")); err != nil || date.Sub(modified) < time.Second {
		return ""
	}
	return h.Get("Last-Modified")
}

// resume asks for the rest of an offer, from byte at on. It fails with an *anew if there is no rest of that content.
func resume(ctx context.Context, client *http.Client, o *offer, at int64) (*offer, error) {
	header := http.Header{}
	header.Set("Range", "bytes="+strconv.FormatInt(at, 10)+"-")
	if strings.HasPrefix(o.from.ETag, `"`) {
		header.Set("If-Range", o.from.ETag)
	} else {
		header.Set("If-Range", o.from.LastModified)
	}
	resp, err := get(ctx, client, o.from.URL, header)
	if err != nil {
		return nil, err
	}
	rest, err := restOf(resp, o, at)
	if rest == nil {
		_ = resp.Body.Close()
	}
	return rest, err
}

func restOf(resp *http.Response, o *offer, at int64) (*offer, error) {
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if err := wrongPart(resp.Header, o, at); err != nil {
			return nil, &anew{error: err, odd: true}
		}
		rest := *o
		rest.reader = resp.Body
		return &rest, nil
	case http.StatusOK:
		if err := refusal(resp); err != nil {
			return nil, err
		}
		whole := offerOf(resp, o.from.URL)
		if changed(whole.from, o.from) {
			return whole, &anew{error: errChanged(), odd: true}
		}
		return whole, &anew{error: fault.New(opRead, fault.Unavailable, "", "the server cannot go on after byte %d", at)}
	case http.StatusRequestedRangeNotSatisfiable, http.StatusPreconditionFailed:
		return nil, &anew{error: fault.New(opCheck, fault.Unavailable, "", "the server answered %s when asked to go on after byte %d", resp.Status, at), odd: true}
	}
	return nil, statusError(resp, false)
}

// wrongPart says why a part is not the rest of an offer.
func wrongPart(h http.Header, o *offer, at int64) error {
	text := h.Get("Content-Range")
	first, last, size, ok := contentRange(text)
	switch {
	case !ok || first != at || size >= 0 && last >= size:
		return fault.New(opCheck, fault.Unavailable, "", "the server was asked to go on after byte %d and sent %.80q", at, text)
	case size >= 0 && o.size >= 0 && size != o.size,
		changed(origin{ETag: h.Get("ETag"), LastModified: h.Get("Last-Modified")}, origin{ETag: o.from.ETag, LastModified: o.from.LastModified}):
		return errChanged()
	}
	return nil
}

// changed reports whether a later answer tells of another content than the first. What it doesn't tell of hasn't changed.
func changed(now, was origin) bool {
	return now.ETag != "" && now.ETag != was.ETag || now.LastModified != "" && now.LastModified != was.LastModified ||
		now.Length > 0 && was.Length > 0 && now.Length != was.Length
}

func errChanged() error {
	return fault.New(opCheck, fault.Unavailable, "", "the image changed at its source while it was downloaded")
}

// contentRange reads "bytes 5-9/100"; size is -1 if it is "*".
func contentRange(text string) (first, last, size int64, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes ")
	part, total, cut := strings.Cut(text, "/")
	from, to, cut2 := strings.Cut(part, "-")
	if !ok || !cut || !cut2 {
		return 0, 0, 0, false
	}
	size = -1
	for _, n := range []struct {
		text  string
		value *int64
	}{{from, &first}, {to, &last}, {total, &size}} {
		if n.text == "*" && n.value == &size {
			continue
		}
		v, err := strconv.ParseUint(n.text, 10, 63)
		if err != nil {
			return 0, 0, 0, false
		}
		*n.value = int64(v)
	}
	return first, last, size, first <= last
}
