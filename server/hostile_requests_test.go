package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/store"
)

// Names that nobody should have, and what people hope that a path does with them.
var (
	badNames  = []string{"a/b", "../../etc/passwd", "a\nb", "a\x00b", "\x1b[31m", "a\u0085b", strings.Repeat("n", 10_000)}
	traverses = []string{
		"..", "../..", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "..\\..", "%00", "a%0ab", "%ff%fe", ".", "~root", "%25%32%66",
		strings.Repeat("a", 10_000),
	}
)

// still keeps the cloud's loops from writing anything until the test ends, and returns the revision of the last commit.
func (l *lab) still() store.Revision {
	l.t.Helper()
	l.loops.Lock()
	l.t.Cleanup(l.loops.Unlock) // before the cloud is stopped
	return l.revision()
}

func TestBadNamesAreRefusedByField(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	before := l.still()
	for _, c := range []struct {
		method, path, field string
		body                map[string]any
	}{
		{http.MethodPost, "/instances", "name", blankInstance()},
		{http.MethodPost, "/networks", "name", map[string]any{"netblock": "10.0.0.0/24"}},
		{http.MethodPost, "/auth/namespaces", "namespace", map[string]any{}},
		{http.MethodPost, "/auth/namespaces", "key_name", map[string]any{"namespace": "new", "key": "k"}},
		{http.MethodPost, "/auth/namespaces/demo/keys", "key_name", map[string]any{"key": "k"}},
		{http.MethodPost, "/artifacts", "url", map[string]any{}},
	} {
		for _, name := range badNames {
			body := maps.Clone(c.body)
			body[c.field] = name
			a := l.send(c.method, c.path, "system", body)
			l.wantError(a, http.StatusBadRequest, c.field)
			if len(a.body) > 1024 {
				t.Errorf("%s %s with a bad %s: an error of %d bytes", c.method, c.path, c.field, len(a.body))
			}
		}
	}
	if after := l.revision(); after != before {
		t.Errorf("something was written: revision %d became %d", before, after)
	}
}

func TestBadNumbersAndBlocksAreRefusedByField(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	before := l.still()
	for _, field := range []string{"cpus", "memory"} {
		for _, value := range []string{"-1", "0", "-9007199254740991", "9007199254740992", "1e300", "-1e300", `"99999999999999999999"`, "1.5", `"1e3"`, `"0x10"`, "true", "[1]"} {
			body := blankInstance()
			body[field] = json.RawMessage(value)
			l.wantError(l.send(http.MethodPost, "/instances", "demo", body), http.StatusBadRequest, field)
		}
		body := blankInstance()
		body[field] = 9007199254740991 // a number, but nobody has so many
		if a := l.send(http.MethodPost, "/instances", "demo", body); a.status != http.StatusBadRequest && a.status != http.StatusInsufficientStorage {
			t.Errorf("%s: %d %s", field, a.status, a.body)
		}
	}
	for _, size := range []string{"-1", "9007199254740991", `"-5"`, "1e300"} {
		body := blankInstance()
		body["disk"] = json.RawMessage(`[{"size": ` + size + `}]`)
		if a := l.send(http.MethodPost, "/instances", "demo", body); a.status != http.StatusInsufficientStorage {
			l.wantError(a, http.StatusBadRequest, "disk 0")
		}
	}
	for _, block := range []string{
		"10.0.0.1/24", "10.0.0.0/30", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0", "fd00::/64", "010.0.0.0/24", "10.0.0.0/24/24", " 10.0.0.0/24", "10.0.0.0/24\n", "0.0.0.0/0",
	} {
		l.wantError(l.send(http.MethodPost, "/networks", "demo", map[string]any{"netblock": block}), http.StatusBadRequest, "netblock")
	}
	if after := l.revision(); after != before {
		t.Errorf("something was written: revision %d became %d", before, after)
	}
}

func TestTheSameMACTwiceIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeNetwork("demo", "lan")
	l.makeNetwork("demo", "dmz")
	nic := func(network, mac string) map[string]any {
		return map[string]any{"network_uuid": network, "macaddress": mac}
	}
	before := l.still()
	for _, second := range []map[string]any{nic("lan", "02:00:00:00:00:01"), nic("dmz", "02-00-00-00-00-01"), nic("dmz", "02:00:00:00:00:01")} {
		a := l.send(http.MethodPost, "/instances", "demo", blankInstance(nic("lan", "02:00:00:00:00:01"), second))
		if a.status != http.StatusBadRequest && a.status != http.StatusConflict || !bytes.Contains(a.body, []byte("macaddress")) {
			t.Errorf("the same MAC twice in one instance: %d %s", a.status, a.body)
		}
	}
	for _, mac := range []string{"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "02:00:00", "02:00:00:00:00:0g", "02:00:00:00:00:01:02:03", "../x"} {
		l.wantError(l.send(http.MethodPost, "/instances", "demo", blankInstance(nic("lan", mac))), http.StatusBadRequest, "macaddress")
	}
	if after := l.revision(); after != before {
		t.Errorf("something was written: revision %d became %d", before, after)
	}
	l.loops.Unlock()
	defer l.loops.Lock()
	l.makeInstance("demo", nic("lan", "02:00:00:00:00:01"))
	l.wantError(l.send(http.MethodPost, "/instances", "demo", blankInstance(nic("dmz", "02:00:00:00:00:01"))), http.StatusConflict, "macaddress")
}

// No parameter in a path leads anywhere but to the object of that name, and there is none.
func TestPathsLeadNowhereElse(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.still()
	before := l.everything()
	for _, rt := range (&server{}).routes() {
		for _, parameter := range inBraces.FindAllString(rt.pattern, -1) {
			if parameter == "{key}" && strings.HasSuffix(rt.pattern, "/metadata/{key}") {
				continue // any name may be noted
			}
			for _, t := range traverses {
				path := strings.Replace(rt.pattern, parameter, t, 1)
				path = strings.NewReplacer("{namespace}", "demo", "{node}", "node-1", "{external}", "other", "{key}", "none", "{ref}", nothing, "{uuid}", nothing).Replace(path)
				a := l.send(rt.method, path, "system", completeBody(rt))
				if !slices.Contains([]int{http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed}, a.status) && a.header.Get("Location") == "" &&
					(a.status != http.StatusOK || parameter != "{external}") { // taking away what is not there is success
					l.t.Errorf("%s %.200s: %d %.200s", rt.method, path, a.status, a.body)
				}
				if a.header.Get("Location") != "" || bytes.Contains(a.body, []byte("root:")) {
					l.t.Errorf("%s %.200s leads to %q, %.200s", rt.method, path, a.header.Get("Location"), a.body)
				}
			}
		}
	}
	if after := l.everything(); after != before {
		t.Errorf("something was written:\nbefore %s\nafter  %s", before, after)
	}
}

// raw sends bytes as they are and returns the status of the answer, 0 if the server hung up instead. With breaksOff the server
// learns that no more bytes will come. It takes that for a caller who went away, and a request that was whole ends early.
func (l *lab) raw(request string, breaksOff bool) int {
	l.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(l.t.Context(), "tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing more is expected of it
	if _, err := io.WriteString(conn, request); err != nil {
		l.t.Fatal(err)
	}
	if breaksOff {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil { //nolint:errcheck,forcetypeassert // it is one
			l.t.Fatal(err)
		}
	}
	var status int
	_, _ = fmt.Fscanf(conn, "HTTP/1.1 %d", &status)
	return status
}

func TestRequestsThatBreakOffDoNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.still()
	head := "Host: h\r\nAuthorization: Bearer " + l.token("demo") + "\r\n"
	before := l.everything()
	for _, c := range []struct {
		request string
		status  int
	}{
		{"POST /networks HTTP/1.1\r\n" + head + "Content-Length: 100\r\n\r\n" + `{"netblock": "10.0.0.0/24"}`, 400},
		{"POST /networks HTTP/1.1\r\n" + head + "Content-Length: 100\r\n\r\n", 400},
		{"POST /networks HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n1b\r\n" + `{"netblock": "10.0.0.0/24"}` + "\r\n", 400},
		{"POST /networks HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		{"POST /networks HTTP/1.1\r\n" + head[:len(head)-9], 400},
		{"POST /networks HTTP/1.1\r\n" + head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400},
		{"POST /net\x00works HTTP/1.1\r\n" + head + "\r\n", 400},
		{"POST /networks\r\n\r\n", 400},
		{"\x16\x03\x01\x02\x00\x01\x00\x01", 400},
		{"GET //evil.example/instances HTTP/1.1\r\n" + head + "\r\n", 404},
		{"GET http://evil.example/networks HTTP/1.1\r\n" + head + "\r\n", 200},
		{"OPTIONS * HTTP/1.1\r\n" + head + "\r\n", 200},
		{"CONNECT /networks/../instances HTTP/1.1\r\n" + head + "\r\n", 404},
		{"POST /networks HTTP/1.1\r\n" + head + "X: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", 431},
	} {
		breaksOff := c.status >= http.StatusBadRequest
		if status := l.raw(c.request, breaksOff); status != c.status {
			t.Errorf("%.300q: %d, want %d", c.request, status, c.status)
		}
	}
	if after := l.everything(); after != before {
		t.Errorf("something was written:\nbefore %s\nafter  %s", before, after)
	}
	if log := l.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("what strangers send is no error of ours: %s", log)
	}
}

func TestTenMegabytesAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	before := l.still()
	big := strings.Repeat("x", 10<<20)
	for _, body := range []string{`{"name": "` + big + `", "netblock": "10.0.0.0/24"}`, `{"` + big + `": 1}`, strings.Repeat("[", 10<<20), strings.Repeat(" ", 10<<20), big} {
		l.wantError(l.send(http.MethodPost, "/networks", "demo", body), http.StatusBadRequest, "larger than")
	}
	if after := l.revision(); after != before {
		t.Errorf("something was written: revision %d became %d", before, after)
	}
	l.wantError(l.send(http.MethodPost, "/networks", "demo", strings.Repeat("[", 1<<20)), http.StatusBadRequest, "64 deep")
	if n := get[[]api.Network](l, http.MethodGet, "/networks", "demo", nil); len(n) != 0 {
		t.Errorf("there are networks: %v", n)
	}
}

// A text with JSON in it is not deeper than what is sent as JSON: it is kept in the same place.
func TestJSONInATextIsNotDeeperThanElsewhere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	body := blankInstance()
	body["metadata"] = `{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`
	l.wantError(l.send(http.MethodPost, "/instances", "demo", body), http.StatusBadRequest, "metadata")
}
