package artifact

import (
	"context"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/internal/ociref"
)

// offer is content that a source has, ready to be read. Whoever gets one closes its reader.
type offer struct {
	reader    io.ReadCloser // its errors are of package fault, or else mean that the connection broke
	size      int64         // bytes of the whole content, as they are sent; -1 if the source doesn't say
	modified  time.Time     // zero if the source doesn't say
	from      origin
	sum       blob.Sum // what the source says of all bytes; zero if it doesn't
	resumable bool     // if the connection breaks, resume can go on from there
}

// open asks a source for its content. It returns nil if that is what is known. Alive is called when a source that needs
// several requests has answered one.
func (d *downloader) open(ctx context.Context, alive func()) (*offer, error) {
	location, err := d.m.resolve(ctx, d.client, d.source)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(strings.ToLower(location), "file:"):
		return openFile(d.namespace, location, d.known)
	case ociref.Is(location):
		return d.m.askRegistry(ctx, d.client, location, d.known, alive)
	}
	return ask(ctx, d.client, location, d.known)
}

// hostOf returns the host, and the port if there is one, that a source is asked of; "" for a file.
func (m *Manager) hostOf(source string) string {
	switch {
	case cirros.MatchString(source):
		source = m.CirrosURL
	case shorthand.MatchString(source):
		source = m.ImageURL
	}
	u, err := url.Parse(source)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
