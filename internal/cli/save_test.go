package cli

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/shakenfist/shakenfist/api"
)

// shelf is a server with blobs. Their content is their UUID, ten times.
type shelf struct {
	t       *testing.T
	answers map[string]any // further routes and what they answer
	missing map[string]int // status of blobs that are listed and cannot be had: of the content, 404; of the blob too, 410

	mu      sync.Mutex
	offsets []string // guarded by mu; of the requests for content
}

func (s *shelf) content(uuid string) string { return strings.Repeat(uuid, 10) }

func (s *shelf) blob(uuid string) api.Blob {
	sum := sha512.Sum512([]byte(s.content(uuid)))
	return api.Blob{UUID: uuid, State: "created", Size: int64(len(s.content(uuid))), SHA512: new(hex.EncodeToString(sum[:]))}
}

// serve starts the server and returns its URL.
func (s *shelf) serve() string {
	s.t.Helper()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, body any) {
		if err := json.NewEncoder(w).Encode(body); err != nil {
			s.t.Error(err)
		}
	}
	if s.answers == nil {
		s.answers = map[string]any{}
	}
	s.answers["GET /{$}"], s.answers["POST /auth"] = "", api.Token{AccessToken: "t"}
	for route, body := range s.answers {
		mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) { answer(w, body) })
	}
	mux.HandleFunc("GET /blobs/{uuid}", func(w http.ResponseWriter, r *http.Request) {
		uuid := r.PathValue("uuid")
		if s.missing[uuid] == http.StatusGone {
			http.Error(w, `{"error": "blob not found", "status": 404}`, http.StatusNotFound)
			return
		}
		answer(w, s.blob(uuid))
	})
	mux.HandleFunc("GET /blobs/{uuid}/data", func(w http.ResponseWriter, r *http.Request) {
		uuid, offset := r.PathValue("uuid"), r.URL.Query().Get("offset")
		s.mu.Lock()
		s.offsets = append(s.offsets, offset)
		s.mu.Unlock()
		if s.missing[uuid] != 0 {
			http.Error(w, `{"error": "blob missing", "status": 404}`, http.StatusNotFound)
			return
		}
		n, _ := strconv.Atoi(offset)
		_, _ = w.Write([]byte(s.content(uuid)[n:]))
	})
	server := httptest.NewServer(mux)
	s.t.Cleanup(server.Close)
	return server.URL
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// files returns the names in a folder.
func files(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestADownloadTakesUpWhatABrokenOneLeft(t *testing.T) {
	t.Parallel()
	s := &shelf{t: t, answers: map[string]any{
		"GET /artifacts/base": api.Artifact{UUID: "v1", State: "created", BlobUUID: "b1", Index: 1, Blobs: map[int]api.ArtifactBlob{1: {UUID: "b1", Size: 20}}},
	}}
	url, path := s.serve(), filepath.Join(t.TempDir(), "base.raw")
	for partial, offsets := range map[string]string{
		"":                           "",
		"b1b1b":                      "5",
		s.content("b1"):              "none",
		"x1x1":                       "4,", // it is another's: all is had anew
		s.content("b1") + "and more": "",
	} {
		s.offsets = nil
		if partial != "" {
			write(t, path+".b1.partial", partial)
		}
		code, stdout, stderr := run(t, url, "artifact", "download", "base", path)
		if code != exitOK || stdout != "Download complete\n" || read(t, path) != s.content("b1") {
			t.Errorf("after %q: %d, %q, %q", partial, code, stdout, stderr)
		}
		got := strings.Join(s.offsets, ",")
		if len(s.offsets) == 0 {
			got = "none"
		}
		if got != offsets {
			t.Errorf("after %q: asked from %q, want %q", partial, got, offsets)
		}
		if left := files(t, filepath.Dir(path)); left != "base.raw" {
			t.Errorf("after %q there is %s", partial, left)
		}
	}
}

func TestAnInterruptedDownloadSaysWhatWasKept(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /auth", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"access_token": "t"}`) })
	mux.HandleFunc("GET /artifacts/base", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"uuid": "v1", "state": "created", "blob_uuid": "b1", "index": 1, "blobs": {"1": {"uuid": "b1", "size": 20}}}`)
	})
	mux.HandleFunc("GET /blobs/b1", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"uuid": "b1", "state": "created", "size": 20}`)
	})
	path := filepath.Join(t.TempDir(), "base.raw")
	partial := path + ".b1.partial"
	mux.HandleFunc("GET /blobs/b1/data", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half of it")
		_ = http.NewResponseController(w).Flush()
		for info, err := os.Stat(partial); r.Context().Err() == nil && (err != nil || info.Size() == 0); info, err = os.Stat(partial) {
			runtime.Gosched()
		}
		interrupt()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	var stderr bytes.Buffer
	a := testApp(t, map[string]string{"SHAKENFIST_API_URL": server.URL, "SHAKENFIST_NAMESPACE": "demo", "SHAKENFIST_KEY": "k"}, "", "", "")
	a.err = &stderr
	code := a.main(ctx, []string{"artifact", "download", "base", path})
	want := "What there is was kept in " + partial + "; the same command gets the rest.\nInterrupted.\n"
	if code != exitInterrupted || stderr.String() != want || read(t, partial) != "half of it" {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
}

func TestABackupLeavesOutWhatIsGoneAndTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	s := &shelf{t: t, missing: map[string]int{"b2": http.StatusNotFound, "b3": http.StatusGone}}
	s.answers = map[string]any{
		"GET /auth/namespaces": []api.Namespace{{Name: "system"}}, "GET /networks": []api.Network{}, "GET /instances": []api.Instance{},
		"GET /artifacts": []api.Artifact{}, "GET /nodes": []api.Node{{Name: "node-1"}},
		"GET /blobs": []api.Blob{s.blob("b1"), s.blob("b2"), s.blob("b3"), {UUID: "b4", State: "initial"}, s.blob("b5")},
	}
	url, folder := s.serve(), t.TempDir()
	write(t, filepath.Join(folder, "blobs", "b1"), strings.Repeat("z", 20)) // of the right size, and nothing else
	code, stdout, stderr := run(t, url, "--simple", "backup", "create", filepath.Join(folder, "cloud.json"))
	if code != exitFailure || !strings.Contains(stderr, "No node has the content of blob b2\n") || !strings.HasSuffix(stderr, "1 blobs could not be had\n") {
		t.Errorf("%d, %q, %q", code, stdout, stderr)
	}
	if got := files(t, filepath.Join(folder, "blobs")); got != "b1 b5" {
		t.Errorf("there are %s", got)
	}
	if got := read(t, filepath.Join(folder, "blobs", "b1")); got != s.content("b1") {
		t.Errorf("b1 is %q", got)
	}
	var made summary
	if err := json.Unmarshal([]byte(read(t, filepath.Join(folder, "cloud.json"))), &made); err != nil {
		t.Fatal(err)
	}
	_, gone := made.Blobs["b3"]
	if len(made.Blobs) != 4 || gone || made.Nodes["node-1"].Name != "node-1" {
		t.Errorf("the summary is %+v", made)
	}
	if info, err := os.Stat(filepath.Join(folder, "cloud.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the summary is %v, %v", info.Mode(), err)
	}
}
