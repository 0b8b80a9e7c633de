package whole_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/whole"
	"github.com/shakenfist/shakenfist/internal/step"
)

func writer(text string) func(string) error {
	return func(p string) error { return os.WriteFile(p, []byte(text), 0o600) }
}

func TestWhatACutOffAttemptLeftIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	cut := errors.New("killed here")
	ctx := step.WithHook(t.Context(), func(_ context.Context, s step.Step) error {
		if s.After {
			return nil
		}
		return cut
	})
	var m whole.Maker
	if err := m.Make(ctx, path, writer("a longer first attempt")); !errors.Is(err, cut) {
		t.Fatalf("error is %v, want that of the step", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the file is there although the rename was cut off")
	}
	if err := m.Make(t.Context(), path, writer("second")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "second" {
		t.Errorf("file holds %q", b)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTwoMakersOfOneFileWriteItOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	var m whole.Maker
	var written atomic.Int32
	errs := make(chan error)
	for range 8 {
		go func() {
			errs <- m.Make(t.Context(), path, func(p string) error {
				written.Add(1)
				return os.WriteFile(p, []byte("x"), 0o600)
			})
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := written.Load(); n != 1 {
		t.Errorf("written %d times, want once", n)
	}
}
