package artifact

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/ociref"
)

// Names with a meaning in layers: OCI image 1.1, "Whiteouts".
const (
	diskFolder   = ociref.Folder
	whiteout     = ".wh."
	opaqueFolder = ".wh..wh..opq"
)

// maxHidden bounds what has to be kept in mind of layers, which may be a list of names and nothing else.
const maxHidden = 1024

// tree is what the layers of an image, read from the top down, say of the folder /disk. Nothing of it is unpacked: names
// are compared, never opened.
type tree struct {
	limit  int64           // bytes that a disk may have
	hidden map[string]bool // files of /disk that the layers so far replaced or removed
	opaque bool            // they removed the folder
}

// next returns the next file of /disk in a layer, io.EOF if there is none, and a *fault.Error if the layer is none that a
// disk should come from. What it learns is of no effect on the layer itself, but on those beneath.
func (t *tree) next(layer *tar.Reader, beneath *tree) (*tar.Header, error) {
	for {
		h, err := layer.Next()
		if err != nil {
			return nil, err
		}
		if len(beneath.hidden) > maxHidden {
			return nil, refuseImage("the layers of the image remove or replace more than %d files of the folder /disk", maxHidden)
		}
		if slices.Contains(strings.Split(h.Name, "/"), "..") || strings.ContainsRune(h.Name, 0) {
			return nil, refuseImage("a layer has a file called %.80q, which leads out of the image", h.Name)
		}
		folder, file := path.Split(path.Clean("/" + h.Name))
		switch {
		case folder == "/" && (file == opaqueFolder || file == whiteout+diskFolder[1:]):
			beneath.opaque = true
		case folder == "/" && file == diskFolder[1:] && h.Typeflag != tar.TypeDir:
			return nil, refuseImage("/disk is %s in the image, and must be a folder", kindOf(h))
		case folder == diskFolder+"/":
			if found, err := t.look(h, file, beneath); found || err != nil {
				return h, err
			}
		}
	}
}

// look reports whether an entry of /disk is a file that could be the disk.
func (t *tree) look(h *tar.Header, file string, beneath *tree) (bool, error) {
	switch {
	case file == opaqueFolder:
		beneath.opaque = true
	case strings.HasPrefix(file, whiteout):
		beneath.hidden[strings.TrimPrefix(file, whiteout)] = true
	case h.Typeflag == tar.TypeDir:
		beneath.hidden[file] = true
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse:
		return false, refuseImage("/disk/%.80s is %s in the image, and must be a file", file, kindOf(h))
	case t.hidden[file]:
	case h.Size > t.limit:
		return false, refuseImage("/disk/%.80s has %d bytes; at most %d are allowed", file, h.Size, t.limit)
	default:
		return true, nil
	}
	return false, nil
}

// clone returns a tree of its own.
func (t *tree) clone() *tree {
	return &tree{limit: t.limit, hidden: maps.Clone(t.hidden), opaque: t.opaque}
}

// kindOf says for people what an entry is.
func kindOf(h *tar.Header) string {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return "a file"
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	case tar.TypeFifo:
		return "a pipe"
	}
	return "neither a file nor a folder"
}

// refuseImage is the error for an image in a registry that no disk can come from.
func refuseImage(format string, args ...any) error {
	return fault.New("fetch image", fault.Invalid, "", format, args...)
}

// ration reads at most left bytes: layers may unpack to far more than they have.
type ration struct {
	r     io.Reader
	left  *int64
	limit int64 // for people
}

func (r ration) Read(p []byte) (int, error) {
	if *r.left <= 0 {
		if n, err := r.r.Read(make([]byte, 1)); n == 0 && err != nil {
			return 0, err
		}
		return 0, refuseImage("the image unpacks to more than %d bytes, which is as much as is allowed", r.limit)
	}
	n, err := r.r.Read(p[:min(int64(len(p)), *r.left)])
	*r.left -= int64(n)
	return n, err
}

// isRefused reports whether an error is one of ours, which reading again would not change.
func isRefused(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}
