package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

func TestSourcesOfGuesses(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.7:4711":                "192.0.2.7/32",
		"[::ffff:192.0.2.7]:4711":       "192.0.2.7/32",
		"[2001:db8:1:2:3:4:5:6]:80":     "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:81":          "2001:db8:1:2::/64",
		"[fe80::1:2:3:4%eth0]:80":       "fe80::/64",
		"":                              "invalid Prefix",
		"@":                             "invalid Prefix",
		"a-host:80":                     "invalid Prefix",
		"192.0.2.7":                     "invalid Prefix",
		strings.Repeat("9", 1000) + ":": "invalid Prefix",
	} {
		if got := sourceOf(remote).String(); got != want {
			t.Errorf("%.40s is %s, want %s", remote, got, want)
		}
	}
}

func TestEachSourceMayGuessTenTimesAndThenOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, from := newGuesses(), sourceOf("192.0.2.7:1")
		tried := func() (n int) {
			for g.take(from) == nil {
				n++
			}
			return n
		}
		if n := tried(); n != 10 {
			t.Errorf("%d guesses at once, want 10", n)
		}
		if err := g.take(sourceOf("192.0.2.8:1")); err != nil {
			t.Errorf("another source suffers: %v", err)
		}
		time.Sleep(700 * time.Millisecond)
		var wait later
		if err := g.take(from); !errors.As(err, &wait) || !errors.Is(err, fault.Unavailable) || wait.after != 300*time.Millisecond || wait.seconds() != "1" {
			t.Errorf("got %v after %v", err, wait.after)
		}
		time.Sleep(wait.after)
		if n := tried(); n != 1 {
			t.Errorf("%d guesses after a second, want 1", n)
		}
		time.Sleep(time.Hour)
		if n := tried(); n != 10 {
			t.Errorf("%d guesses after an hour, want 10", n)
		}
	})
}

func TestSourcesAreForgottenInOrder(t *testing.T) {
	t.Parallel()
	g, first := newGuesses(), sourceOf("192.0.2.7:1")
	exhaust := func() {
		for g.take(first) == nil {
		}
	}
	exhaust()
	other := netip.MustParseAddr("10.0.0.0")
	for i := range 3 * maxSources {
		other = other.Next()
		_ = g.take(netip.PrefixFrom(other, 32))
		if i%1000 == 0 && g.take(first) == nil {
			t.Fatalf("after %d others, a source that goes on guessing was forgotten", i)
		}
	}
	if len(g.sources) != maxSources || g.recent.Len() != maxSources {
		t.Errorf("%d and %d sources are remembered, want %d", len(g.sources), g.recent.Len(), maxSources)
	}
	for range maxSources {
		other = other.Next()
		_ = g.take(netip.PrefixFrom(other, 32))
	}
	if err := g.take(first); err != nil {
		t.Errorf("a source that fell silent is remembered: %v", err)
	}
}

// A source that guesses too much is refused without a compare, and whoever has a right key there notices nothing of it.
func TestGuessesAreRefusedAndRightKeysNever(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	compares := func(f func()) uint64 {
		before := l.cloud.Namespaces.Compares()
		f()
		return l.cloud.Namespaces.Compares() - before
	}
	guess := func(namespace, key string) answer {
		return l.send(http.MethodPost, "/auth", "", api.Auth{Namespace: namespace, Key: key})
	}
	wrong := 0
	var refused answer
	spent := compares(func() {
		for ; ; wrong++ {
			if refused = guess([]string{"demo", "nowhere"}[wrong%2], fmt.Sprint("hunter", wrong)); refused.status == http.StatusServiceUnavailable {
				return
			}
			if wrong > 100 {
				t.Fatal("guessing goes on for ever")
			}
		}
	})
	if wrong < 10 || spent != uint64(wrong) {
		t.Errorf("%d guesses were answered at the cost of %d compares, want 10 or a few more, one each", wrong, spent)
	}
	l.wantError(refused, http.StatusServiceUnavailable, "too many failed logins from your address")
	if strings.Contains(string(refused.body), "server.") {
		t.Errorf("the caller reads of the server's inside: %s", refused.body)
	}
	if n, err := strconv.Atoi(refused.header.Get("Retry-After")); err != nil || n < 1 {
		t.Errorf("Retry-After: %q", refused.header.Get("Retry-After"))
	}
	if n := compares(func() {
		for range 30 {
			l.login("demo", "demo")
		}
	}); n != 30 {
		t.Errorf("30 right keys cost %d compares", n)
	}
	if log := l.log.String(); strings.Contains(log, "hunter") || strings.Contains(log, "level=ERROR") {
		t.Error("a guess is in the log, or is an operator's business")
	}
}

// Clients of many years log in again whenever they hear 401, also when an operator's route refuses them.
func TestARefusalCostsThePythonClientOneCompare(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i := range 50 {
		if err := l.cloud.Namespaces.SetKey(t.Context(), "demo", fmt.Sprint("k", i), fmt.Sprint("secret", i), false); err != nil {
			t.Fatal(err)
		}
	}
	token := l.token("demo")
	before := l.cloud.Namespaces.Compares()
	for range 2 {
		l.wantError(l.send(http.MethodGet, "/nodes", "", nil, "Authorization", "Bearer "+token), http.StatusUnauthorized, "unauthorized")
		token = l.login("demo", "secret49")
	}
	if n := l.cloud.Namespaces.Compares() - before; n != 2 {
		t.Errorf("two logins cost %d compares", n)
	}
}
