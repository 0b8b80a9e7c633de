package artifact_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
)

// sourceFault is a way in which a web server fails, and what must come of it.
type sourceFault struct {
	name   string
	answer func(s *website, n int, w http.ResponseWriter, r *http.Request)
	plain  bool       // the server has no ETag, and no date
	dated  bool       // it has a date in place of an ETag
	packed bool       // what it sends is packed by gzip, and damaged if the image must not come
	kind   fault.Kind // of the failure; "" if the image must come, every byte of it
	text   string     // that the failure says
	asked  []string   // from which bytes on, "" for the whole; nil for anything
	again  int        // events that say that the source is asked again
	waits  bool       // it takes as long as a server may be silent
}

const (
	tagged = `"one"`
	other  = `"two"`
)

// sourceFaults are all that are tried. An image has size bytes.
func sourceFaults(size int) []sourceFault {
	half := strconv.Itoa(size / 2)
	all := slices.Concat(cuts(size), []sourceFault{
		{name: "cut at every 10 %", answer: always(func(s *website, w http.ResponseWriter, r *http.Request) { s.cut(w, r, s.percent(10)) }), again: 1},
		{name: "cut, the server has only a date", dated: true, answer: first(1, func(s *website, w http.ResponseWriter, r *http.Request) { s.cut(w, r, s.percent(50)) }), asked: []string{"", half}, again: 1},
		{name: "cut, the server has nothing to go on by", plain: true, answer: first(1, func(s *website, w http.ResponseWriter, r *http.Request) { s.cut(w, r, s.percent(50)) }), asked: []string{"", ""}, again: 1},
		{name: "cut, the ETag is weak", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			s.etag = `W/"one"`
			first(1, func(s *website, w http.ResponseWriter, r *http.Request) { s.cut(w, r, s.percent(50)) })(s, n, w, r)
		}, plain: true, asked: []string{"", ""}, again: 1},
		{name: "cut, no length was said", answer: first(1, func(s *website, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tagged)
			_, _ = w.Write(s.content[:s.percent(50)])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}), asked: []string{"", half}, again: 1},
		{name: "cut, the server can't go on", answer: broke(func(s *website, w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			s.well(w, r)
		}), asked: []string{"", half}, again: 1},
		{name: "cut for ever, the server can't go on", answer: always(func(s *website, w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			s.cut(w, r, s.percent(50))
		}), kind: fault.Unavailable, text: "the connection broke after " + half + " of " + strconv.Itoa(size) + " bytes", again: 1},
		{name: "cut for ever at one byte", answer: always(func(s *website, w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				raw(w, "", nil)
				return
			}
			s.cut(w, r, s.percent(50))
		}), kind: fault.Unavailable, text: "the server cannot be reached, or broke off", again: 2},
		{name: "reset before the answer", answer: first(3, func(_ *website, w http.ResponseWriter, _ *http.Request) { raw(w, "", nil) }), asked: []string{"", "", "", ""}, again: 1},
	}, wrongParts(size), wrongContent(size), wrongAnswers())
	return all
}

// cuts are one cut each, at every tenth.
func cuts(size int) []sourceFault {
	var all []sourceFault
	for tenth := 1; tenth < 10; tenth++ {
		at := size * tenth / 10
		all = append(all, sourceFault{
			name:   fmt.Sprintf("cut at %d %%", 10*tenth),
			answer: first(1, func(s *website, w http.ResponseWriter, r *http.Request) { s.cut(w, r, at) }),
			asked:  []string{"", strconv.Itoa(at)}, again: 1,
		})
	}
	return all
}

// wrongParts are servers that are asked to go on and do something else.
func wrongParts(size int) []sourceFault {
	half := strconv.Itoa(size / 2)
	total := "/" + strconv.Itoa(size)
	rest := func(s *website) []byte { return s.content[s.percent(50):] }
	fresh := []string{"", half, ""}
	return []sourceFault{
		{name: "416 once", answer: broke(func(_ *website, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}), asked: fresh, again: 2},
		{name: "416 for ever", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			if n%2 == 1 {
				s.cut(w, r, s.percent(50))
				return
			}
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}, kind: fault.Unavailable, text: "416 Requested Range Not Satisfiable when asked to go on after byte " + half, asked: []string{"", half, "", half}, again: 2},
		{name: "a part that begins elsewhere", answer: broke(func(s *website, w http.ResponseWriter, _ *http.Request) {
			part(w, "bytes 0-"+strconv.Itoa(size-1)+total, tagged, s.content)
		}), asked: fresh, again: 2},
		{name: "a part that does not say where it begins", answer: broke(func(s *website, w http.ResponseWriter, _ *http.Request) {
			part(w, "", tagged, rest(s))
		}), asked: fresh, again: 2},
		{name: "a part that lies for ever", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			if n%2 == 1 {
				s.cut(w, r, s.percent(50))
				return
			}
			part(w, "bytes 1-"+half+total, tagged, rest(s))
		}, kind: fault.Unavailable, text: `was asked to go on after byte ` + half + ` and sent "bytes 1-`, again: 2},
		{name: "a part of something larger", answer: broke(func(s *website, w http.ResponseWriter, _ *http.Request) {
			part(w, "bytes "+half+"-"+strconv.Itoa(size-1)+"/9999999", tagged, rest(s))
		}), asked: fresh, again: 2},
		{name: "a part with another ETag", answer: broke(func(s *website, w http.ResponseWriter, _ *http.Request) {
			part(w, "bytes "+half+"-"+strconv.Itoa(size-1)+total, other, rest(s))
		}), asked: fresh, again: 2},
		{name: "a part of unknown size", answer: broke(func(s *website, w http.ResponseWriter, _ *http.Request) {
			part(w, "bytes "+half+"-"+strconv.Itoa(size-1)+"/*", tagged, rest(s))
		}), asked: []string{"", half}, again: 1},
		{name: "a part that is shorter than the rest", answer: broke(func(s *website, w http.ResponseWriter, _ *http.Request) {
			part(w, "bytes "+half+"-"+strconv.Itoa(size/2+99)+total, tagged, rest(s)[:100])
		}), asked: []string{"", half, strconv.Itoa(size/2 + 100)}, again: 1},
		{name: "a part that is longer than the rest", answer: broke(func(s *website, w http.ResponseWriter, _ *http.Request) {
			part(w, "bytes "+half+"-"+strconv.Itoa(size-1)+total, tagged, append(slices.Clone(rest(s)), 1, 2, 3))
		}), asked: fresh, again: 2},
		{name: "500 while going on", answer: broke(func(_ *website, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		}), asked: []string{"", half, half}, again: 2},
		{
			name: "gone while going on", answer: broke(func(_ *website, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }),
			kind: fault.Invalid, text: "404 Not Found", asked: []string{"", half}, again: 1,
		},
		{name: "a login page while going on", answer: broke(func(_ *website, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>pay for the network"))
		}), kind: fault.Invalid, text: "HTML page", asked: []string{"", half}, again: 1},
	}
}

// wrongContent are servers whose bytes are not what they should be.
func wrongContent(size int) []sourceFault {
	half := strconv.Itoa(size / 2)
	damaged := func(s *website) []byte {
		b := slices.Clone(s.content)
		b[len(b)/3] ^= 1
		return b
	}
	digest := func(w http.ResponseWriter, content []byte) { w.Header().Set("Repr-Digest", reprDigest(content)) }
	return []sourceFault{
		{name: "changed while it was downloaded", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				s.serve(&cutter{ResponseWriter: w, left: s.percent(50)}, r, damaged(s), other)
				return
			}
			s.well(w, r)
		}, asked: []string{"", half}, again: 2},
		{name: "changed again and again", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			s.serve(&cutter{ResponseWriter: w, left: s.percent(50)}, r, s.content, fmt.Sprintf("%q", strconv.Itoa(n)))
		}, kind: fault.Unavailable, text: "the image changed at its source while it was downloaded", asked: []string{"", half, half}, again: 2},
		{name: "more promised than sent, for ever", answer: always(func(s *website, w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			w.Header().Set("ETag", tagged)
			w.Header().Set("Content-Length", strconv.Itoa(2*size))
			_, _ = w.Write(s.content)
		}), kind: fault.Unavailable, text: "416", again: 2},
		{name: "less promised than there is", answer: always(func(s *website, w http.ResponseWriter, _ *http.Request) {
			raw(w, "HTTP/1.1 200 OK\nContent-Length: 1024\nRepr-Digest: "+reprDigest(s.content)+"\n\n", s.content)
		}), kind: fault.Unavailable, text: "should be", asked: []string{"", ""}, again: 1},
		{name: "damaged once", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			digest(w, s.content)
			if n == 1 {
				s.serve(w, r, damaged(s), s.etag)
				return
			}
			s.well(w, r)
		}, asked: []string{"", ""}, again: 1},
		{name: "damaged for ever", answer: always(func(s *website, w http.ResponseWriter, r *http.Request) {
			digest(w, s.content)
			s.serve(w, r, damaged(s), s.etag)
		}), kind: fault.Unavailable, text: "its sha256 is", asked: []string{"", ""}, again: 1},
		{name: "cut, with a checksum", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			digest(w, s.content)
			first(1, func(s *website, w http.ResponseWriter, r *http.Request) { s.cut(w, r, s.percent(50)) })(s, n, w, r)
		}, asked: []string{"", half}, again: 1},
		{name: "packed and cut", packed: true, answer: first(1, func(s *website, w http.ResponseWriter, r *http.Request) { s.cut(w, r, s.percent(50)) }), again: 1},
		{name: "packed and damaged at the source", packed: true, answer: always(func(s *website, w http.ResponseWriter, r *http.Request) {
			s.serve(w, r, s.content[:s.percent(50)], s.etag)
		}), kind: fault.Invalid, text: "this gzip file is cut off", asked: []string{""}},
	}
}

// wrongAnswers are servers that answer with something else than content.
func wrongAnswers() []sourceFault {
	code := func(n int) func(*website, http.ResponseWriter, *http.Request) {
		return func(_ *website, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
	}
	return []sourceFault{
		{name: "500 and then 200", answer: first(1, code(500)), asked: []string{"", ""}, again: 1},
		{name: "500 for ever", answer: always(code(500)), kind: fault.Unavailable, text: "500 Internal Server Error", again: 1},
		{name: "304 to who knows nothing", answer: always(code(304)), kind: fault.Invalid, text: "304 Not Modified instead of an image", asked: []string{""}},
		{name: "206 to who wants everything", answer: always(code(206)), kind: fault.Invalid, text: "206 Partial Content instead of an image", asked: []string{""}},
		{name: "redirected", answer: func(s *website, n int, w http.ResponseWriter, r *http.Request) {
			switch {
			case !strings.HasPrefix(r.URL.Path, "/mirror"):
				http.Redirect(w, r, "/mirror", http.StatusFound)
			case n == 2:
				s.cut(w, r, s.percent(50))
			default:
				s.well(w, r)
			}
		}, again: 1},
		{name: "a redirect loop", answer: always(func(_ *website, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		}), kind: fault.Invalid, text: "redirected more than 10 times"},
		{name: "a redirect to a file", answer: always(func(_ *website, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}), kind: fault.Invalid, text: "which is neither http nor https", asked: []string{""}},
		{name: "silent", waits: true, answer: always(func(_ *website, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), kind: fault.Unavailable, text: "the server sent nothing for", asked: []string{""}},
		{name: "headers that never end", waits: true, answer: always(func(_ *website, w http.ResponseWriter, r *http.Request) { trickle(w) }), kind: fault.Unavailable, text: "the server sent nothing for"},
		{name: "headers without end", answer: always(func(_ *website, w http.ResponseWriter, _ *http.Request) {
			raw(w, "HTTP/1.1 200 OK\nX-Long: "+strings.Repeat("x", 1<<20)+"\n\n", nil)
		}), kind: fault.Unavailable, text: "the server cannot be reached, or broke off", again: 1},
		{name: "stalled once", waits: true, answer: first(1, func(s *website, w http.ResponseWriter, r *http.Request) { s.stall(w, r, s.percent(50)) }), again: 1},
		{name: "stalled for ever", waits: true, answer: always(func(s *website, w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				s.stall(w, r, s.percent(50))
				return
			}
			<-r.Context().Done()
		}), kind: fault.Unavailable, text: "the server sent nothing for", again: 1},
	}
}

// trickle sends a header byte by byte, for ever.
func trickle(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close() //nolint:errcheck // the other side has gone
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = c.Read(make([]byte, 1))
	}()
	for text := "HTTP/1.1 200 OK\r\nX-Slow: "; ; text = "x" {
		if _, err := c.Write([]byte(text)); err != nil {
			<-gone
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-gone:
			return
		}
	}
}

// patient are the limits of one try.
type patient struct{ patience, stall time.Duration }

// try has an image fetched from a server that fails, and checks what comes of it. It returns what the last event says.
func (f sourceFault) try(t *testing.T, size int, p patient, start func(site *website, set func(*artifact.Deps, *blob.Deps)) (*cloud, string)) map[string]any {
	t.Helper()
	image := disk(size/512, 1)
	site := &website{content: image, etag: tagged, answer: f.answer}
	if f.plain || f.dated {
		site.etag = ""
	}
	if f.dated {
		site.date = yesterday()
	}
	if f.packed {
		site.content = packed(image)
	}
	c, url := start(site, func(a *artifact.Deps, _ *blob.Deps) { a.Patience, a.Stall = p.patience, p.stall })
	began := time.Now()
	a, err := c.fetched(url + "?token=hush")
	if f.asked != nil {
		require.Equal(t, f.asked, site.requests())
	}
	if f.waits {
		require.GreaterOrEqual(t, time.Since(began), min(p.patience, p.stall)*9/10)
	}
	require.Less(t, time.Since(began), 3*p.patience+3*p.stall)
	events, listed := c.events.List(c.ctx, event.Object{Kind: "artifact", ID: a.ID}, "", -1)
	require.NoError(t, listed)
	last := events[0].Extra
	messages := c.messages(a.ID)
	require.Len(t, slices.DeleteFunc(slices.Clone(messages), func(m string) bool { return m != "image source failed, trying again" }), f.again, "%q", messages)
	require.LessOrEqual(t, len(messages), 3+9+f.again)
	if f.kind != "" {
		require.ErrorIs(t, err, f.kind)
		require.Contains(t, fault.Text(err), f.text)
		require.NotContains(t, err.Error(), "hush")
		require.Equal(t, artifact.Error, a.State)
		require.Equal(t, "image fetch failed", events[0].Message)
		require.Equal(t, a.Error, last["error"])
		return last
	}
	require.NoError(t, err)
	require.Equal(t, "image fetched", events[0].Message)
	stored, err := os.ReadFile(c.blobs.Path(a.Versions[0].Blob))
	require.NoError(t, err)
	require.True(t, bytes.Equal(image, stored), "the image came otherwise than it is")
	require.EqualValues(t, len(site.content), last["received"])
	return last
}

func packed(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

func TestWhateverAWebServerDoesTheOutcomeIsRight(t *testing.T) {
	t.Parallel()
	const size = 512 * 200
	for _, f := range sourceFaults(size) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				c := (*cloud)(nil)
				f.try(t, size, patient{20 * time.Second, 30 * time.Second}, func(site *website, set func(*artifact.Deps, *blob.Deps)) (*cloud, string) {
					w.origin.does(site.ServeHTTP)
					c = w.start(nil, set).withNamespaces()
					return c, imageURL
				})
				synctest.Wait()
				if f.kind == "" {
					c.consistent()
				} else {
					require.Empty(t, w.files())
				}
			})
		})
	}
}
