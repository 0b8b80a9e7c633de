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
		t.Fatalf("a blank image is refused: %v", err)
	}
	if h.Version != 3 || h.Size != 20<<30 || h.ClusterSize != 2<<20 || h.Incompatible != 0 || h.Snapshots != 0 {
		t.Errorf("read %+v, want version 3, 20 GiB, clusters of 2 MiB, and no more", h)
	}
}

func TestAnImageOverAnotherCanBeReadButIsNotAlone(t *testing.T) {
	over := bytes.NewReader(qcow2.Empty(1<<30, "/base"))
	if h, err := qcow2.Read(over); err != nil || h.BackingOffset != 512 || h.BackingBytes != 5 {
		t.Errorf("read %+v, %v, want a name of 5 bytes at 512", h, err)
	}
	if _, err := qcow2.Whole(over, over.Size(), qcow2.MaxSize); !errors.Is(err, fault.Invalid) {
		t.Errorf("error is %v, want invalid", err)
	}
}

func TestAHeaderWithoutItsTablesIsNotWhole(t *testing.T) {
	b := qcow2.Blank(1<<30, "")
	if _, err := qcow2.Whole(bytes.NewReader(b), int64(len(b)), qcow2.MaxSize); !errors.Is(err, fault.Invalid) {
		t.Errorf("error is %v, want invalid", err)
	}
}

func TestHostileImagesAreRefused(t *testing.T) {
	edit := func(at int, v uint64) []byte {
		b := qcow2.Empty(1<<30, "")
		binary.BigEndian.PutUint64(b[at:], v)
		return b
	}
	for name, image := range map[string][]byte{
		"a backing file":             qcow2.Empty(1<<30, "/etc/shadow"),
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
		"a cut-off header":           qcow2.Empty(1<<30, "")[:80],
		"nothing":                    nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := qcow2.Whole(bytes.NewReader(image), int64(len(image)), qcow2.MaxSize)
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
		if err == nil && (h.Size <= 0 || h.Size > qcow2.MaxSize || h.ClusterSize < 512 || h.ClusterSize > 2<<20) {
			t.Errorf("accepted %+v", h)
		}
	})
}
