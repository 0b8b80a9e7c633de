package qcow2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

func TestABlankImageSaysWhatItIs(t *testing.T) {
	h, err := qcow2.Read(bytes.NewReader(qcow2.Blank(20<<30, "")))
	if err != nil {
		t.Fatal(err)
	}
	want := qcow2.Header{Version: 3, Size: 20 << 30, ClusterSize: 2 << 20}
	if h != want {
		t.Errorf("read %+v, want %+v", h, want)
	}
	if err := h.Standalone(); err != nil {
		t.Errorf("a blank image is refused: %v", err)
	}
}

func TestHostileImagesAreRefused(t *testing.T) {
	edit := func(at int, v uint64) []byte {
		b := qcow2.Blank(1<<30, "")
		binary.BigEndian.PutUint64(b[at:], v)
		return b
	}
	for name, image := range map[string][]byte{
		"a backing file":             qcow2.Blank(1<<30, "/etc/shadow"),
		"a backing file's name only": edit(16, 11<<32|21),
		"an external data file":      edit(72, 1<<2),
		"a corrupt mark":             edit(72, 1<<1),
		"an unknown feature":         edit(72, 1<<9),
		"encryption":                 edit(32, 1<<32),
		"an absurd size":             edit(24, 1<<60),
		"no size":                    edit(24, 0),
		"version 9":                  edit(0, 0x514649fb00000009),
		"absurd clusters":            edit(16, 63),
		"no magic":                   []byte("# Disk DescriptorFile\nRW 8 FLAT \"/etc/shadow\" 0\n"),
		"a cut-off header":           qcow2.Blank(1<<30, "")[:80],
		"nothing":                    nil,
	} {
		t.Run(name, func(t *testing.T) {
			h, err := qcow2.Read(bytes.NewReader(image))
			if err == nil {
				err = h.Standalone()
			}
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("error is %v, want invalid", err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(qcow2.Blank(1<<30, ""))
	f.Add(qcow2.Blank(1<<30, "/etc/shadow"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := qcow2.Read(bytes.NewReader(b))
		if err == nil && (h.Size <= 0 || h.Size > qcow2.MaxSize || h.ClusterSize < 512) {
			t.Errorf("accepted %+v", h)
		}
	})
}
