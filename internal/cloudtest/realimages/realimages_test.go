// Package realimages_test has images, uploads, snapshots and labels on a real host, as package real has everything else: beside it,
// so that both can run at the same time.
package realimages_test

import (
	"testing"

	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

func TestMain(m *testing.M) {
	pretendhost.Main(m, pretendhost.Options{Name: "real2", Libvirt: true})
}
