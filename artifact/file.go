package artifact

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// validateFile fails unless a URL names a file of the node that fetches, and the namespace may take one.
func validateFile(u *url.URL, namespace string) error {
	const op = "artifact.validateURL"
	switch {
	case namespace != system:
		return fault.New(op, fault.Forbidden, "", "url is a file of the cloud's own machines, which only the system namespace may use; upload the image instead")
	case u.Host != "" && u.Host != "localhost":
		return fault.New(op, fault.Invalid, "", "url names a file of the host %.80q; write file:///path for one of the node that fetches", u.Host)
	case u.Opaque != "" || !filepath.IsAbs(u.Path) || u.RawQuery != "" || u.Fragment != "":
		return fault.New(op, fault.Invalid, "", "url is not a file's; write file:///path")
	}
	return nil
}

// openFile offers a regular file of this node to the system namespace, or nil if it is the one that is known. What it is is
// asked of the opened file, so that nobody can exchange it in between.
func openFile(namespace, location string, known origin) (*offer, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, fault.New(opConnect, fault.Invalid, "", "the file's URL cannot be understood")
	}
	if err := validateFile(u, namespace); err != nil {
		return nil, err
	}
	// A fifo without a writer, or a device, would keep us waiting.
	f, err := os.OpenFile(u.Path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fault.Because(opConnect, fault.Invalid, "", plain(err), "the file cannot be opened; it must be on the node that fetches, and be no symbolic link")
	}
	o, err := fileOffer(f, location)
	if err != nil || o.from == known {
		_ = f.Close()
		return nil, err
	}
	return o, nil
}

func fileOffer(f *os.File, location string) (*offer, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fault.Because(opConnect, fault.Unavailable, "", plain(err), "the file cannot be examined")
	case !info.Mode().IsRegular():
		return nil, fault.New(opConnect, fault.Invalid, "", "this is not a regular file")
	}
	modified := info.ModTime()
	return &offer{
		reader: &fileReader{File: f, was: info}, size: info.Size(), modified: modified,
		from: origin{
			URL: location, ETag: fmt.Sprintf("%s %d", modified.UTC().Format(time.RFC3339Nano), info.Size()),
			LastModified: modified.UTC().Format(http.TimeFormat), Length: info.Size(),
		},
	}, nil
}

// fileReader reads a file, and fails if it changed meanwhile.
type fileReader struct {
	*os.File
	was fs.FileInfo
}

// Read reads as a file does. At the end it looks whether that is the file that was begun.
func (r *fileReader) Read(b []byte) (int, error) {
	n, err := r.File.Read(b)
	if err == nil {
		return n, nil
	}
	if err != io.EOF { //nolint:errorlint // files don't wrap it
		return n, fault.Because(opRead, fault.Unavailable, "", plain(err), "the file cannot be read")
	}
	now, err := r.Stat()
	if err != nil || !now.ModTime().Equal(r.was.ModTime()) || now.Size() != r.was.Size() {
		return n, fault.New(opRead, fault.Unavailable, "", "the file changed while it was read")
	}
	return n, io.EOF
}

// plain leaves out the path of a file error.
func plain(err error) error {
	if e, ok := err.(*fs.PathError); ok { //nolint:errorlint // as package os returns it
		return e.Err
	}
	return err
}
