package main

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shakenfist/shakenfist"
)

// scrubber replaces what differs between two runs of a script by what does not, of the same width, so that tables keep
// their shape. UUIDs and MAC addresses get numbers in the order in which they are first seen, times all become one.
type scrubber struct {
	names map[string]string // replacement by original
	real  map[string]string // original by replacement
	macs  int
	uuids int
}

func newScrubber() *scrubber {
	return &scrubber{names: map[string]string{}, real: map[string]string{}}
}

var (
	uuids = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	macs  = regexp.MustCompile(`\b02:00:00(:[0-9a-f]{2}){3}\b`)

	// rest is what needs no memory.
	rest = []struct {
		pattern *regexp.Regexp
		with    string
	}{
		{regexp.MustCompile(`\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\b`), "2023-05-27 12:00:00.500"},
		{regexp.MustCompile(`\(\d+ seconds ago\)`), "(0 seconds ago)"},
		{regexp.MustCompile(`\b1[789]\d{8}(\.\d+)?\b`), "1685188800.5"},
		{regexp.MustCompile(`("?(?:vxlan_id|vxid)"?: |vxlan id *: ?)\d+`), "${1}4882442"},
		{regexp.MustCompile(`127\.0\.0\.1:\d{5}\b`), "127.0.0.1:13000"},
		{regexp.MustCompile(`\|  ` + regexp.QuoteMeta(shakenfist.Version) + ` +\|`), "|  1.2.3  |"},
		{regexp.MustCompile(`(release *: ?|\bDHNEM,)` + regexp.QuoteMeta(shakenfist.Version) + `\b`), "${1}1.2.3"},
	}
)

func (s *scrubber) scrub(text string) string {
	text = uuids.ReplaceAllStringFunc(text, func(uuid string) string {
		return s.name(uuid, "00000000-0000-4000-8000-%012d", &s.uuids)
	})
	text = macs.ReplaceAllStringFunc(text, func(mac string) string { return s.name(mac, "02:00:00:00:00:%02d", &s.macs) })
	for _, r := range rest {
		text = r.pattern.ReplaceAllString(text, r.with)
	}
	return text
}

// name returns what stands for an original.
func (s *scrubber) name(original, form string, last *int) string {
	if _, stands := s.real[original]; stands {
		return original // scrubbed already
	}
	if s.names[original] == "" {
		*last++
		s.names[original] = fmt.Sprintf(form, *last)
		s.real[s.names[original]] = original
	}
	return s.names[original]
}

// restore replaces what scrub made of UUIDs and MAC addresses by the real ones.
func (s *scrubber) restore(text string) string {
	for name, original := range s.real {
		text = strings.ReplaceAll(text, name, original)
	}
	return text
}

// ascending is a source of random bytes whose 16 bytes are always greater than those before, and none that a scrubber makes.
type ascending struct{ last atomic.Uint64 }

// Read implements io.Reader for what reads 16 bytes at once.
func (a *ascending) Read(b []byte) (int, error) {
	clear(b)
	b[0] = 0xa0
	binary.BigEndian.PutUint32(b[len(b)-4:], uint32(a.last.Add(1)))
	return len(b), nil
}

func TestTheScrubberGivesNamesBackForWhatTheyStandFor(t *testing.T) {
	t.Parallel()
	s := newScrubber()
	const text = "6f8a0d3c-58a1-4a5c-9f5e-0d2f6f1f7b10 02:00:00:ab:cd:ef 1bd3c1b0-1c1f-4b6e-8f1c-0b7a1d7a2c33 6f8a0d3c-58a1-4a5c-9f5e-0d2f6f1f7b10"
	const want = "00000000-0000-4000-8000-000000000001 02:00:00:00:00:01 00000000-0000-4000-8000-000000000002 00000000-0000-4000-8000-000000000001"
	if got := s.scrub(text); got != want || s.scrub(got) != want || s.restore(got) != text {
		t.Errorf("got %q, and back %q", got, s.restore(got))
	}
	for text, want := range map[string]string{
		"2026-11-20 12:34:56.789 (7 seconds ago)":   "2023-05-27 12:00:00.500 (0 seconds ago)",
		`"lastseen": 1795177862.251,`:               `"lastseen": 1685188800.5,`,
		"vxlan id         : 123":                    "vxlan id         : 4882442",
		"http://127.0.0.1:34567/networks":           "http://127.0.0.1:13000/networks",
		"release:" + shakenfist.Version:             "release:1.2.3",
		"| " + shakenfist.Version + " is no node's": "| " + shakenfist.Version + " is no node's",
	} {
		if got := s.scrub(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}
