package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// inbox is a server's upload.
type inbox struct {
	t       *testing.T
	got     []byte
	takes   []int // of the next requests with content, how many bytes arrive before the connection breaks; less than 0: all
	made    string
	known   bool // the server has the content already
	refused int  // how many more requests get 409
}

func (b *inbox) client() *client.Client {
	s := newScript(b.t)
	s.on("POST /upload", say(200, api.Upload{UUID: "u1"}))
	s.on("POST /upload/u1", b.add)
	s.any = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			if b.known {
				say(200, api.Blob{UUID: "b1", Size: 10})(w, r)
			} else {
				say(200, nil)(w, r)
			}
			return
		}
		var body api.UploadArtifact
		require.NoError(b.t, json.NewDecoder(r.Body).Decode(&body))
		b.made = r.URL.Path
		for _, id := range []*string{body.UploadUUID, body.BlobUUID} {
			if id != nil {
				b.made += " " + *id
			}
		}
		say(200, api.Artifact{UUID: "a1"})(w, r)
	}
	return s.client(nil)
}

func (b *inbox) add(w http.ResponseWriter, r *http.Request) {
	part, err := io.ReadAll(r.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, "application/octet-stream", r.Header.Get("Content-Type"))
	if b.refused > 0 {
		b.refused--
		say(409, api.Error{Error: "wait", Status: 409})(w, r)
		return
	}
	if len(part) > 0 && len(b.takes) > 0 {
		n := b.takes[0]
		b.takes = b.takes[1:]
		if n >= 0 {
			b.got = append(b.got, part[:n]...)
			b.refused = 1 // the server still reads the request that broke off
			w.WriteHeader(http.StatusBadGateway)
			return
		}
	}
	b.got = append(b.got, part...)
	say(200, len(b.got))(w, r)
}

func TestAnUploadGoesOnWhereTheConnectionBroke(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		content := []byte("0123456789")
		b := &inbox{t: t, takes: []int{3, 0, 7}}
		var told []int64
		err := b.client().SendUpload(t.Context(), "u1", bytes.NewReader(content), 10, func(done, _ int64) { told = append(told, done) })
		require.NoError(t, err)
		require.Equal(t, content, b.got)
		require.Equal(t, []int64{3, 3, 10}, told)
	})
}

func TestAnUploadThatOthersAddToIsGivenUp(t *testing.T) {
	t.Parallel()
	b := &inbox{t: t, got: []byte("theirs")}
	err := b.client().SendUpload(t.Context(), "u1", bytes.NewReader([]byte("0123456789")), 10, nil)
	require.ErrorIs(t, err, fault.Conflict)
	require.Contains(t, fault.Text(err), "somebody else adds to it")
}

func TestAFileIsSentOnlyIfTheServerLacksIt(t *testing.T) {
	t.Parallel()
	for known, want := range map[bool]string{true: "/artifacts/upload/x b1", false: "/artifacts/upload/x u1"} {
		b := &inbox{t: t, known: known}
		a, err := b.client().UploadFile(t.Context(), "x", bytes.NewReader([]byte("0123456789")), 10, api.UploadArtifact{}, nil)
		require.NoError(t, err)
		require.Equal(t, "a1", a.UUID)
		require.Equal(t, want, b.made)
		require.Equal(t, known, len(b.got) == 0)
	}
}
