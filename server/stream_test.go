package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
)

// content makes a blob of the smallest disk there is and returns its UUID.
func (l *lab) content() string {
	l.t.Helper()
	made := get[api.Artifact](l, http.MethodPost, "/artifacts", "demo", map[string]any{"url": l.images + "/disk"})
	l.waitArtifact(made.UUID)
	return get[api.Artifact](l, http.MethodGet, "/artifacts/"+made.UUID, "demo", nil).BlobUUID
}

func TestContentOfABlobIsReadInParts(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	disk, path := rawDisk(), "/blobs/"+l.content()+"/data"
	for query, want := range map[string][]byte{
		"":                                 disk,
		"?offset=0&limit=0":                disk,
		"?offset=510":                      disk[510:],
		"?offset=510&limit=2":              {0x55, 0xaa},
		"?limit=1":                         disk[:1],
		"?offset=65535&limit=7":            disk[65535:],
		"?offset=65536":                    {},
		"?offset=9007199254740991":         {},
		"?limit=9007199254740991":          disk,
		"?offset=1&limit=9007199254740991": disk[1:],
	} {
		a := l.send(http.MethodGet, path+query, "other", nil) // who knows the UUID may read
		require.Equal(t, http.StatusOK, a.status, "%s: %s", query, a.body)
		require.True(t, bytes.Equal(want, a.body), "%q: %d bytes", query, len(a.body))
		require.Equal(t, strconv.Itoa(len(want)), a.header.Get("Content-Length"))
		require.Equal(t, "application/octet-stream", a.header.Get("Content-Type"))
	}
	require.Equal(t, []byte{0x55, 0xaa}, l.send(http.MethodGet, path, "demo", `{"offset": "510", "limit": 2}`).body)
	for query, field := range map[string]string{
		"?offset=-1": "offset", "?offset=x": "offset", "?limit=-1": "limit", "?limit=1.5": "limit", "?offset=9007199254740992": "offset", "?length=1": "length",
	} {
		l.wantError(l.send(http.MethodGet, path+query, "demo", nil), http.StatusBadRequest, field)
	}
	l.wantError(l.send(http.MethodGet, "/blobs/"+nothing+"/data", "demo", nil), http.StatusNotFound, "blob not found")
	head := l.send(http.MethodHead, path, "demo", nil)
	require.Equal(t, "65536", head.header.Get("Content-Length"))
	require.Empty(t, head.body)
}

// zeros is as long a content as anybody asks for.
type zeros struct{ closed chan struct{} }

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
func (z zeros) Close() error             { close(z.closed); return nil }

// serveStream answers every request with a stream, from a server that gives any other answer 100 ms.
func serveStream(t *testing.T, size int64) (address string, closed chan struct{}) {
	t.Helper()
	closed = make(chan struct{})
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream{contentType: "application/octet-stream", size: size, body: zeros{closed}}.send(&recorder{ResponseWriter: w}, r)
	}))
	front.Config.WriteTimeout = 100 * time.Millisecond
	front.Start()
	t.Cleanup(front.Close)
	return front.Listener.Addr().String(), closed
}

func TestALongDownloadIsNotCutOffWhileItMoves(t *testing.T) {
	t.Parallel()
	const size = 24 << 20 // more than the buffers of a connection hold
	address, closed := serveStream(t, size)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	_, err = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	slow := time.NewTicker(60 * time.Millisecond) // a client on a thin line
	defer slow.Stop()
	var got int64
	for err == nil {
		<-slow.C
		var n int64
		n, err = io.CopyN(io.Discard, conn, 4<<20)
		got += n
	}
	require.ErrorIs(t, err, io.EOF)
	require.Greater(t, got, int64(size)) // and the header
	<-closed
}

func TestAClientThatGoesAwayEndsItsDownload(t *testing.T) {
	t.Parallel()
	address, closed := serveStream(t, 1<<50)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, err = io.CopyN(io.Discard, res.Body, 1<<20)
	require.NoError(t, err)
	cancel()
	_ = res.Body.Close()
	<-closed
}

// stuck is a connection whose other end takes nothing any more after some writes.
type stuck struct {
	*httptest.ResponseRecorder
	takes     int
	deadlines []time.Time
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.takes--; s.takes < 0 {
		return 0, errors.New("i/o timeout")
	}
	return len(p), nil
}

func (s *stuck) SetWriteDeadline(d time.Time) error {
	s.deadlines = append(s.deadlines, d)
	return nil
}

// What is asked for next on the same connection must not be cut off because the stream's time has passed.
func TestTheTimeOfAStreamEndsWithIt(t *testing.T) {
	t.Parallel()
	w := &stuck{ResponseRecorder: httptest.NewRecorder(), takes: 1000}
	z := zeros{make(chan struct{})}
	stream{size: 2 * piece, body: z}.send(w, httptest.NewRequest(http.MethodGet, "/", nil))
	<-z.closed
	require.True(t, w.Flushed)
	require.Len(t, w.deadlines, 3)
	require.Zero(t, w.deadlines[2])
}

func TestEachPieceOfAStreamHasItsOwnTime(t *testing.T) {
	t.Parallel()
	w := &stuck{ResponseRecorder: httptest.NewRecorder(), takes: 3 * piece / (32 << 10)}
	z := zeros{make(chan struct{})}
	stream{size: 100 * piece, body: z}.send(w, httptest.NewRequest(http.MethodGet, "/", strings.NewReader("")))
	<-z.closed
	require.Len(t, w.deadlines, 4, "one for each piece, and for the one that was not taken")
	require.WithinDuration(t, time.Now().Add(stall), w.deadlines[3], 10*time.Second)
}
