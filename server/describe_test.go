package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
)

func TestEachKindOfErrorHasItsStatus(t *testing.T) {
	t.Parallel()
	for kind, status := range map[fault.Kind]int{
		fault.Invalid: 400, fault.Unauthorized: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.NotReady: 406,
		fault.Conflict: 409, fault.Internal: 500, fault.Exhausted: 507, fault.Unavailable: 503,
	} {
		got := describe(fault.Wrap("outer", "id", fault.New("op", kind, "", "the text")))
		text, _ := got.Error.(string)
		if got.Status != status || (kind != fault.Internal && !strings.HasPrefix(text, "the text")) {
			t.Errorf("%s: got %+v, want %d", kind, got, status)
		}
	}
	if got := describe(context.DeadlineExceeded); got.Status != http.StatusServiceUnavailable {
		t.Errorf("a deadline: %+v", got)
	}
}

func TestInternalErrorsTellNothing(t *testing.T) {
	t.Parallel()
	got := describe(errors.New("open /srv/secret: permission denied"))
	text, _ := got.Error.(string)
	if !strings.HasPrefix(text, "server error: ") || strings.Contains(text, "secret") {
		t.Errorf("got %q", text)
	}
}

func TestNotFoundSaysSo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"instance not found": "instance not found",
		"key does not exist": "key does not exist (not found)",
	} {
		if got := describe(fault.New("op", fault.NotFound, "", "%s", text)); got.Error != want {
			t.Errorf("got %q, want %q", got.Error, want)
		}
	}
}
