//go:build linux

package qemuimg

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// Source is an image that is read, with everything that is read along with it.
type Source struct {
	Path    string   // absolute
	Format  string   // as qemu-img calls it: "raw", "qcow2", "vmdk", "vdi" or "vpc"
	Backing []string // absolute paths of the QCOW2 images beneath it, nearest first; nil if it is whole by itself
}

// name describes the image to qemu-img in full. That nothing is beneath the last of the chain is said too: what its header
// names is not looked at.
func (s Source) name() (string, error) {
	node := layer(s.Path, s.Format)
	top := node
	for _, path := range s.Backing {
		next := layer(path, "qcow2")
		node["backing"], node = next, next
	}
	text, err := json.Marshal(top)
	if err != nil {
		return "", fault.Because("qemuimg.name", fault.Internal, s.Path, err, "the image cannot be described")
	}
	return "json:" + string(text), nil
}

func layer(path, format string) map[string]any {
	l := map[string]any{
		"driver": format, "backing": nil,
		"file": map[string]any{"driver": "file", "filename": path},
	}
	if format == "vpc" {
		// The size that the footer states, as the header guard has read it, and not what the geometry of a disk of 1990 makes of it.
		l["force_size_calc"] = "current_size"
	}
	return l
}

// check makes sure that the chain is as long as the headers say: data that is read without what lies beneath is wrong.
func (s Source) check() error {
	const op = "qemuimg.check"
	paths := append([]string{s.Path}, s.Backing...)
	for i, path := range paths {
		if !filepath.IsAbs(path) {
			return fault.New(op, fault.Invalid, path, "the image's path must be absolute")
		}
		if i == 0 && s.Format != "qcow2" {
			continue
		}
		h, err := header(path)
		if err != nil {
			return err
		}
		if over, last := h.BackingOffset != 0, i == len(paths)-1; over == last {
			return fault.New(op, fault.Invalid, path, "layer %d of %d of the disk: that it has a backing file is %t", i+1, len(paths), over)
		}
	}
	return nil
}

// header reads the header of one of our own images.
func header(path string) (qcow2.Header, error) {
	const op = "qemuimg.header"
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return qcow2.Header{}, fault.New(op, fault.NotFound, path, "the image %s is not there", path)
	case err != nil:
		return qcow2.Header{}, fault.Because(op, fault.Internal, path, err, "the image cannot be opened")
	}
	defer f.Close() //nolint:errcheck // only read
	h, err := qcow2.Read(f)
	return h, fault.Wrap(op, path, err)
}
