package foreign_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/foreign"
	hi "github.com/shakenfist/shakenfist/internal/hostileimage"
)

// fuzz has a guard look at images that were changed: it takes or refuses them, and what it takes is within the limit.
func fuzz(f *testing.F, guard func(io.ReaderAt, int64, int64) (foreign.Image, error), seeds ...[]byte) {
	f.Helper()
	for _, b := range seeds {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 36
		i, err := guard(bytes.NewReader(b), int64(len(b)), limit)
		switch {
		case err == nil && (i.Size <= 0 || i.Size > limit || i.Size%512 != 0 || i.Block < 0 || i.Variant == ""):
			t.Errorf("took %+v", i)
		case err != nil && (!errors.Is(err, fault.Invalid) || i != foreign.Image{}):
			t.Errorf("got %+v, %v", i, err)
		}
	})
}

// Seeds are small, so that there are many attempts.

func FuzzVMDK(f *testing.F) {
	const end = 24 * 512 // behind the grain table
	fuzz(f, foreign.VMDK, hi.VMDK(hi.LE64(64, 0))[:end+2048], slices.Concat(hi.Stream(hi.LE64(64, 0))[:end+2048], hi.Stream(hi.LE64(64, 0))[64<<10:]))
}

func FuzzVDI(f *testing.F) {
	fuzz(f, foreign.VDI, hi.VDI(hi.LE32(388, 0), hi.LE32(516, 0xffffffff))[:4096])
}

func FuzzVHD(f *testing.F) {
	empty := hi.DynamicVHD(hi.BE32(2052, 0xffffffff))
	fuzz(f, foreign.VHD, hi.FixedVHD()[64<<10-512:], slices.Concat(empty[:2560], empty[:512]))
}
