package server

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
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

// drip is content that comes a piece at a time.
type drip struct {
	pieces int
	piece  []byte
	pause  time.Duration
}

func (d *drip) Read(b []byte) (int, error) {
	if d.pieces == 0 {
		return 0, io.EOF
	}
	d.pieces--
	<-time.After(d.pause)
	return copy(b, d.piece), nil
}

// hasty serves a lab's cloud as a server that gives requests and answers next to no time.
func (l *lab) hasty() *httptest.Server {
	l.t.Helper()
	front := httptest.NewUnstartedServer(New(l.cloud, Options{}))
	front.Config.ReadTimeout, front.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	front.Start()
	l.t.Cleanup(front.Close)
	return front
}

func TestAnUploadIsNotCutOffWhileItMoves(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	id := l.uploaded("demo", nil)
	front := l.hasty()
	send := func(body io.Reader) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/upload/"+id, body)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+l.token("demo"))
		res, err := front.Client().Do(r)
		require.NoError(t, err)
		defer res.Body.Close() //nolint:errcheck // only read
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode, string(got))
		require.Equal(t, "application/json", res.Header.Get("Content-Type"))
		return string(got)
	}
	require.Equal(t, "6144\n", send(&drip{pieces: 6, piece: make([]byte, 1024), pause: 100 * time.Millisecond}), "longer than the server's bounds")
	const large = 3 * maxBody
	require.Equal(t, strconv.Itoa(6144+large)+"\n", send(bytes.NewReader(make([]byte, large))), "larger than arguments may be")
	require.Equal(t, strconv.Itoa(6144+large)+"\n", send(nil))
}

func TestOnlyUploadsTakeAsLongAsTheyTake(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := &server{cloud: l.cloud, log: slog.New(slog.DiscardHandler), metrics: newMetrics(l.cloud, nil, ""), paths: newPaths()}
	bounded := map[bool]bool{}
	look := func(c *call) (any, error) {
		_, ends := c.Context().Deadline()
		bounded[c.body == nil] = ends
		return nil, nil
	}
	s.paths.Handle("/raw", s.endpoint(map[string]route{http.MethodPost: {who: nobody, raw: true, handle: look}}))
	s.paths.Handle("/plain", s.endpoint(map[string]route{http.MethodPost: {who: nobody, handle: look}}))
	for _, path := range []string{"/raw", "/plain"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}")))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
	}
	require.Equal(t, map[bool]bool{false: false, true: true}, bounded)
}

func TestWhatCameBeforeTheConnectionBrokeIsThere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	id := l.uploaded("demo", []byte("begin"))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(l.url, "http://"))
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "POST /upload/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n-middle", id, l.token("demo"))
	require.NoError(t, err)
	size := func() int64 {
		for {
			a := l.send(http.MethodPost, "/upload/"+id, "demo", "")
			if a.status == http.StatusOK {
				n, err := strconv.ParseInt(strings.TrimSpace(string(a.body)), 10, 64)
				require.NoError(t, err)
				return n
			}
			l.wantError(a, http.StatusConflict, "wait for its answer")
			if conn != nil {
				require.NoError(t, conn.Close())
				conn = nil
			}
		}
	}
	for size() != 12 { // until the server has read what was sent
		<-time.After(time.Millisecond)
	}
	require.Equal(t, 16, get[int](l, http.MethodPost, "/upload/"+id, "demo", "-end"))
}

// Names in paths that look like parts of others.
func TestAnArtifactMayBeCalledUpload(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	made := get[api.Artifact](l, http.MethodPost, "/artifacts/upload/upload", "demo", fields{"upload_uuid": l.uploaded("demo", variant(1))})
	for _, name := range []string{"versions", "share", "events", "metadata"} {
		a := get[api.Artifact](l, http.MethodPost, "/artifacts/upload/"+name, "demo", fields{"blob_uuid": made.BlobUUID})
		require.Equal(t, "sf://upload/demo/"+name, a.SourceURL)
	}
	require.Len(t, get[[]api.IndexedBlob](l, http.MethodGet, "/artifacts/upload/versions", "demo", nil), 1)
	require.NotEmpty(t, get[[]api.Event](l, http.MethodGet, "/artifacts/upload/events", "demo", nil))
	l.send(http.MethodPost, "/artifacts/"+made.UUID+"/metadata", "demo", fields{"key": "k", "value": "v"})
	require.Equal(t, map[string]any{"k": "v"}, get[map[string]any](l, http.MethodGet, "/artifacts/upload/metadata", "demo", nil))
	require.Equal(t, http.StatusMethodNotAllowed, l.send(http.MethodGet, "/artifacts/upload/other", "demo", nil).status)
	require.Equal(t, "OPTIONS, POST", l.send(http.MethodOptions, "/artifacts/upload/other", "demo", nil).header.Get("Allow"))
	require.Equal(t, made.UUID, get[api.Artifact](l, http.MethodGet, "/artifacts/upload", "demo", nil).UUID)
}

func TestALabelIsFoundHoweverItsSlashIsWritten(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	blob := get[api.Artifact](l, http.MethodPost, "/artifacts/upload/x", "demo", fields{"upload_uuid": l.uploaded("demo", variant(1))}).BlobUUID
	made := get[api.Artifact](l, http.MethodPost, "/label/a%20b", "demo", fields{"blob_uuid": blob})
	for _, path := range []string{"/label/a%20b", "/label/demo/a%20b", "/label/demo%2Fa%20b", "/api/label//demo/a%20b/"} {
		require.Equal(t, made.UUID, get[api.Artifact](l, http.MethodGet, path, "demo", nil).UUID, path)
	}
	for _, path := range []string{"/label/demo%2F..", "/label/%00", "/label/" + strings.Repeat("x", 300), "/label/a%2Fb%2Fc", "/label/a/b/c"} {
		l.wantError(l.send(http.MethodPost, path, "system", fields{"blob_uuid": blob}), http.StatusBadRequest, "label name")
	}
	l.wantError(l.send(http.MethodGet, "/label", "demo", nil), http.StatusNotFound, "not found")
}

func TestANamespaceCannotKeepUploadsWithoutEnd(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for range l.cloud.Uploads.Most {
		get[api.Upload](l, http.MethodPost, "/upload", "demo", nil)
	}
	l.wantError(l.send(http.MethodPost, "/upload", "demo", nil), http.StatusInsufficientStorage, `namespace "demo" has 256 unfinished uploads`)
	get[api.Upload](l, http.MethodPost, "/upload", "other", nil)
}
