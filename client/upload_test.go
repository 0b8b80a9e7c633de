package client_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
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

	words   string // of the root page
	largest int    // bytes that a request may have; 0 for any number
	twice   bool   // the next piece arrives twice, and the answer gets lost
	deaf    bool   // what arrives is not kept
	busy    int    // how often the upload is still being checked
	cut     int64  // to which size it was truncated; -1 if it was not
	sum     string // of the artifact's blob
}

func (b *inbox) client() *client.Client {
	s := newScript(b.t)
	s.on("GET ", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, b.words) })
	s.on("POST /upload", say(200, api.Upload{UUID: "u1"}))
	s.on("POST /upload/u1", b.add)
	s.any = func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/truncate/") {
			_, err := fmt.Sscanf(r.URL.Path, "/upload/u1/truncate/%d", &b.cut)
			require.NoError(b.t, err)
			b.got = b.got[:b.cut]
			say(200, nil)(w, r)
			return
		}
		if r.URL.Path == "/blobs/made" {
			say(200, api.Blob{UUID: "made", Size: int64(len(b.got)), SHA512: &b.sum})(w, r)
			return
		}
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
		if b.busy--; b.busy >= 0 {
			say(406, api.Error{Error: "not yet", Status: 406})(w, r)
			return
		}
		b.made = r.URL.Path
		for _, id := range []*string{body.UploadUUID, body.BlobUUID} {
			if id != nil {
				b.made += " " + *id
			}
		}
		if b.sum == "" {
			sum := sha512.Sum512(b.got)
			b.sum = hex.EncodeToString(sum[:])
		}
		say(200, api.Artifact{UUID: "a1", BlobUUID: "made", Index: 1})(w, r)
	}
	b.cut = -1
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
	switch {
	case b.largest > 0 && len(part) > b.largest:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case b.twice && len(part) > 0:
		b.twice = false
		b.got = append(append(b.got, part...), part...)
		w.WriteHeader(http.StatusGatewayTimeout)
		return
	case b.deaf:
		say(200, len(b.got))(w, r)
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
		b := &inbox{t: t, known: known, words: api.CanBlobSearchByHash}
		var hashed, sent int64
		named := ""
		a, err := b.client().UploadFile(t.Context(), "x", bytes.NewReader([]byte("0123456789")), 10, api.UploadArtifact{}, client.UploadOptions{
			Hashed: func(done, size int64) { hashed = done + size },
			Sent:   func(done, size int64) { sent = done + size },
			Known:  func(b api.Blob) { named = b.UUID },
		})
		require.NoError(t, err)
		require.EqualValues(t, 20, hashed)
		require.Equal(t, known, sent == 0)
		require.Equal(t, known, named == "b1")
		require.Equal(t, "a1", a.UUID)
		require.Equal(t, want, b.made)
		require.Equal(t, known, len(b.got) == 0)
	}
}

func TestWhatCanBeReadOnlyOnceIsSentAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		content := bytes.Repeat([]byte("0123456789"), 3<<20) // four pieces
		b := &inbox{t: t, takes: []int{-1, 12345, 0}, busy: 3}
		var sent int64
		checked := false
		a, err := b.client().UploadStream(t.Context(), "x", bytes.NewReader(content), api.UploadArtifact{}, client.UploadOptions{
			Sent:  func(done, _ int64) { sent = done },
			Check: func() { checked = true },
		})
		require.NoError(t, err)
		require.True(t, checked)
		require.Equal(t, "a1", a.UUID)
		require.True(t, bytes.Equal(content, b.got))
		require.EqualValues(t, len(content), sent)
		require.Equal(t, "/artifacts/upload/x u1", b.made)
		require.EqualValues(t, -1, b.cut)
	})
}

func TestPiecesGetSmallerWhereTheyAreTooLarge(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 200<<10)
	b := &inbox{t: t, largest: 1 << 20}
	_, err := b.client().UploadFile(t.Context(), "x", bytes.NewReader(content), int64(len(content)), api.UploadArtifact{}, client.UploadOptions{})
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, b.got))
	none := &inbox{t: t, largest: 1 << 10}
	_, err = none.client().UploadFile(t.Context(), "x", bytes.NewReader(content), int64(len(content)), api.UploadArtifact{}, client.UploadOptions{})
	require.ErrorIs(t, err, fault.Invalid)
}

func TestAPieceThatArrivedTwiceIsSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &inbox{t: t, twice: true}
		_, err := b.client().UploadFile(t.Context(), "x", bytes.NewReader([]byte("0123456789")), 10, api.UploadArtifact{}, client.UploadOptions{})
		require.NoError(t, err)
		require.EqualValues(t, 0, b.cut)
		require.Equal(t, "0123456789", string(b.got))
	})
}

func TestAServerThatKeepsNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &inbox{t: t, deaf: true}
		err := b.client().SendUpload(t.Context(), "u1", bytes.NewReader([]byte("0123456789")), 10, nil)
		require.ErrorIs(t, err, fault.Unavailable)
		require.Contains(t, fault.Text(err), "the server keeps nothing")
	})
}

func TestOfAnUploadThatFailsNothingStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &inbox{t: t}
		ctx, cancel := context.WithCancel(t.Context())
		_, err := b.client().UploadStream(ctx, "x", io.MultiReader(bytes.NewReader(make([]byte, 9<<20)), broken{cancel}), api.UploadArtifact{}, client.UploadOptions{})
		require.Error(t, err)
		require.EqualValues(t, 0, b.cut)
		require.Empty(t, b.got)
		require.Empty(t, b.made)
	})
}

// broken is where the user presses Ctrl-C.
type broken struct{ cancel func() }

func (b broken) Read([]byte) (int, error) {
	b.cancel()
	return 0, io.ErrClosedPipe
}

func TestAFileThatGetsShorterIsNotSent(t *testing.T) {
	t.Parallel()
	b := &inbox{t: t}
	_, err := b.client().UploadFile(t.Context(), "x", bytes.NewReader([]byte("0123")), 10, api.UploadArtifact{}, client.UploadOptions{})
	require.ErrorIs(t, err, fault.Conflict)
	require.Contains(t, fault.Text(err), "shorter")
	require.Empty(t, b.made)
	other := &inbox{t: t, sum: "something else"}
	_, err = other.client().UploadFile(t.Context(), "x", bytes.NewReader([]byte("0123")), 4, api.UploadArtifact{}, client.UploadOptions{})
	require.ErrorIs(t, err, fault.Conflict)
	require.Contains(t, fault.Text(err), "did the file change meanwhile")
}

func TestAnOldServerIsNotAskedForWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	b, kind := &inbox{t: t, known: true}, "other"
	_, err := b.client().UploadFile(t.Context(), "x", bytes.NewReader([]byte("0123456789")), 10, api.UploadArtifact{Type: &kind}, client.UploadOptions{})
	require.ErrorIs(t, err, fault.Invalid)
	require.Contains(t, fault.Text(err), "too old for artifacts of type other")
	_, err = b.client().UploadFile(t.Context(), "x", bytes.NewReader([]byte("0123456789")), 10, api.UploadArtifact{}, client.UploadOptions{})
	require.NoError(t, err)
	require.Equal(t, "/artifacts/upload/x u1", b.made)
}
