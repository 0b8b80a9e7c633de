package server

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestALongConsoleIsSentAndNotHeld(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vm := l.makeInstance("demo")
	const size = 20 << 20
	file := filepath.Join(l.cloud.Dir(), "instances", vm, "console.log")
	if err := os.WriteFile(file, append(make([]byte, size-4), "last"...), 0o600); err != nil {
		t.Fatal(err)
	}
	path := "/instances/" + vm + "/consoledata"
	for length, want := range map[string]int{"-1": size, "": 10240, "0": 10240, "4": 4, "99999999999": size} {
		a := l.send(http.MethodGet, path+"?length="+length, "demo", nil)
		if length == "" {
			a = l.send(http.MethodGet, path, "demo", nil)
		}
		if a.status != http.StatusOK || len(a.body) != want || !bytes.HasSuffix(a.body, []byte("last")) {
			t.Errorf("length %q: status %d, %d bytes, want %d", length, a.status, len(a.body), want)
		}
	}
	a := l.send(http.MethodHead, path+"?length=-1", "demo", nil)
	if a.header.Get("Content-Length") != strconv.Itoa(size) || len(a.body) != 0 {
		t.Errorf("HEAD: %v, %d bytes", a.header, len(a.body))
	}
	held, err := l.cloud.Instances.Console(t.Context(), vm, -1)
	if err != nil || len(held) != 16<<20 || !bytes.HasSuffix(held, []byte("last")) {
		t.Errorf("in memory: %d bytes, %v", len(held), err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if a := l.send(http.MethodGet, path, "demo", nil); a.status != http.StatusOK || len(a.body) != 0 {
		t.Errorf("without a log: %d %q", a.status, a.body)
	}
}
