package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// DownloadOptions say how to download a blob.
type DownloadOptions struct {
	// Have is the beginning of the content, from an attempt that broke off; nil for none. It is read to its end, and only
	// what follows is asked for and written.
	Have     io.Reader
	Progress func(done, size int64) // told how many bytes there are after each part; may be nil
}

// DownloadBlob writes the content of a blob to w and returns the blob. When the connection breaks off it asks for the rest,
// until the server has had nothing to say for a while. It returns without error only if all is there: the size is that of
// the blob, and so is the checksum if the blob has one. It fails with fault.Conflict if the content is another, then what
// was written is of no use; and with fault.Internal, w's error being the cause, if w fails.
func (c *Client) DownloadBlob(ctx context.Context, uuid string, w io.Writer, o DownloadOptions) (api.Blob, error) {
	b, err := c.GetBlob(ctx, uuid)
	if err != nil {
		return b, err
	}
	d := download{c: c, blob: b, to: w, sum: newHashing(), progress: o.Progress}
	defer d.sum.end()
	if o.Have != nil {
		if d.done, err = d.sum.copy(io.Discard, o.Have); err != nil {
			return b, fault.Because("client.DownloadBlob", fault.Internal, uuid, err, "cannot read what is there already")
		}
	}
	if err := d.run(ctx); err != nil {
		return b, err
	}
	return b, d.verify()
}

// download is a blob on its way.
type download struct {
	c        *Client
	blob     api.Blob
	to       io.Writer
	sum      *hashing // of what is there
	done     int64    // bytes that are there
	failed   error    // of to
	progress func(done, size int64)
}

// Write implements io.Writer: a part of the content arrives.
func (d *download) Write(part []byte) (int, error) {
	n, err := d.to.Write(part)
	d.done += int64(n)
	if err != nil {
		d.failed = err
		return n, err
	}
	if d.progress != nil {
		d.progress(d.done, d.blob.Size)
	}
	return n, nil
}

// run asks for what is missing until nothing is.
func (d *download) run(ctx context.Context) error {
	for broken := 0; d.done < d.blob.Size; {
		before := d.done
		err := d.attempt(ctx)
		if d.done > before {
			broken = 0
		}
		switch {
		case d.failed != nil:
			return fault.Because("client.DownloadBlob", fault.Internal, d.blob.UUID, d.failed, "cannot write what was downloaded")
		case err == nil:
			continue
		case ctx.Err() != nil || !errors.Is(err, fault.Unavailable):
			return err
		}
		if broken++; broken >= outage {
			return err
		}
		if cause := sleep(ctx, d.c.s.o.Poll); cause != nil {
			return fault.Because("client.DownloadBlob", fault.Unavailable, d.blob.UUID, cause, "the download broke off")
		}
	}
	return nil
}

// attempt asks once for what is missing.
func (d *download) attempt(ctx context.Context) error {
	content, err := d.c.BlobData(ctx, d.blob.UUID, d.done, 0)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // only read
	before := d.done
	// One byte more than is missing is looked at, so that an answer that is too long is found out.
	_, err = d.sum.copy(d, io.LimitReader(content, d.blob.Size-d.done+1))
	if err == nil && d.done == before {
		err = io.ErrUnexpectedEOF // else an empty answer would be asked for at once, for ever
	}
	return broken(http.MethodGet, api.PathBlobData, err)
}

// verify compares what is there with what should be.
func (d *download) verify() error {
	if d.done != d.blob.Size {
		return d.wrong(fmt.Sprintf("it has more than the %d bytes it should have", d.blob.Size))
	}
	if d.blob.SHA512 == nil {
		return nil
	}
	want, err := hex.DecodeString(strings.TrimSpace(*d.blob.SHA512))
	if err == nil && !bytes.Equal(want, d.sum.end()) {
		return d.wrong("its checksum is another")
	}
	return nil
}

func (d *download) wrong(why string) error {
	return fault.New("client.DownloadBlob", fault.Conflict, d.blob.UUID, "what was downloaded is not blob %s: %s; download it anew", d.blob.UUID, why)
}
