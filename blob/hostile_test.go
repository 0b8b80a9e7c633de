package blob_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/hostileimage"
)

func TestHostileImagesAreRefusedByTheGuard(t *testing.T) {
	t.Parallel()
	canary := filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(canary, []byte("a secret of the host"), 0o600); err != nil {
		t.Fatal(err)
	}
	images := hostileimage.All(canary)
	if len(images) < 40 {
		t.Errorf("there are %d images, want at least 40", len(images))
	}
	for _, i := range images {
		if packed(i.Bytes) {
			continue // Ingest unpacks them
		}
		t.Run(i.Name, func(t *testing.T) {
			t.Parallel()
			facts, err := blob.Inspect(bytes.NewReader(i.Bytes), int64(len(i.Bytes)), blob.Limits{})
			if !errors.Is(err, fault.Invalid) || !strings.HasPrefix(fault.Text(err), i.Reason) || i.Reason == "" {
				t.Errorf("got %+v, %v: %s\nwant invalid: %s…", facts, fault.KindOf(err), fault.Text(err), i.Reason)
			}
			if strings.Contains(fault.Text(err), canary) {
				t.Errorf("the error quotes what the image names: %s", fault.Text(err))
			}
		})
	}
}

func packed(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\x1f\x8b")) || bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd"))
}
