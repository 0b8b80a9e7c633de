package qcow2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

func over(b []byte, name string) (qcow2.Header, error) {
	return qcow2.Over(bytes.NewReader(b), int64(len(b)), qcow2.MaxSize, name)
}

func TestAThinCopyLiesOverTheImageThatItIsSaidTo(t *testing.T) {
	t.Parallel()
	if h, err := over(qcow2.Empty(1<<30, "base.qcow2"), "base.qcow2"); err != nil || h.Size != 1<<30 {
		t.Errorf("got %+v, %v", h, err)
	}
	put32 := func(at int, v uint32) []byte {
		b := qcow2.Empty(1<<30, "base.qcow2")
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	for name, c := range map[string]struct {
		image []byte
		base  string
		text  string
	}{
		"over nothing":                  {qcow2.Empty(1<<30, ""), "base.qcow2", "lies over no other"},
		"over no name":                  {qcow2.Empty(1<<30, "base.qcow2"), "", "lies over no other"},
		"over another":                  {qcow2.Empty(1<<30, "bass.qcow2"), "base.qcow2", "names another backing file"},
		"over a longer name":            {qcow2.Empty(1<<30, "/base.qcow2"), "base.qcow2", "names a backing file by 11 bytes"},
		"over a file of the host":       {qcow2.Empty(1<<30, "/etc/shadow"), "base.qcow2", "names a backing file by 11 bytes"},
		"over a name past its cluster":  {put32(12, 1<<20), "base.qcow2", "has the name of its backing file at 1048576"},
		"over a name in its header":     {put32(12, 8), "base.qcow2", "has the name of its backing file at 8"},
		"over a name that wraps around": {put32(8, ^uint32(0)), "base.qcow2", "has the name of its backing file at 18446744069414584832"},
		"over one of a guessed format":  {put32(104, 0x12345678), "base.qcow2", "says of its backing file that its format is \"\""},
		"over one that is raw":          {put32(108, 3), "base.qcow2", "says of its backing file that its format is \"qco\""},
		"with a data file too":          {put32(76, 1<<2), "base.qcow2", "keeps its data in an external file"},
		"with tables that cannot be":    {put32(36, 0), "base.qcow2", "has an L1 table of 0 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := over(c.image, c.base)
			if want := "this QCOW2 image " + c.text; !errors.Is(err, fault.Invalid) || !strings.HasPrefix(fault.Text(err), want) {
				t.Errorf("got %v: %s; want invalid: %s…", fault.KindOf(err), fault.Text(err), want)
			}
		})
	}
}

func FuzzWhole(f *testing.F) {
	small := qcow2.Empty(1<<20, "")
	f.Add(small[:4096])
	f.Add(qcow2.Blank(1<<30, "/etc/shadow"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := qcow2.Whole(bytes.NewReader(b), int64(len(b)), qcow2.MaxSize)
		if err == nil && (h.Size <= 0 || h.BackingOffset != 0 || h.BackingBytes != 0 || h.Encryption != 0) {
			t.Errorf("took %+v", h)
		}
		if err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
	})
}
