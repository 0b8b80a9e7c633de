package client

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// part is how many bytes of an upload are in one request.
const part = 8 << 20

// bytesBody is the body of a request that is no JSON.
type bytesBody []byte

// CreateUpload begins an upload.
func (c *Client) CreateUpload(ctx context.Context) (api.Upload, error) {
	var u api.Upload
	err := c.call(ctx, http.MethodPost, api.PathUploads, nil, nil, &u)
	return u, err
}

// AppendUpload adds bytes to the end of an upload and returns how many there are now. Adding none is how to ask. See SendUpload
// for the whole of a file.
func (c *Client) AppendUpload(ctx context.Context, uuid string, content []byte) (total int64, err error) {
	err = c.call(ctx, http.MethodPost, api.PathUpload, []string{uuid}, bytesBody(content), &total)
	return total, err
}

// TruncateUpload cuts an upload off after size bytes.
func (c *Client) TruncateUpload(ctx context.Context, uuid string, size int64) error {
	return c.call(ctx, http.MethodPost, api.PathUploadTruncate, []string{uuid, strconv.FormatInt(size, 10)}, nil, nil)
}

// SendUpload adds to an upload what it lacks of content, which is size bytes long, and goes on where a connection broke off until
// the server has had nothing to say for a while. Progress is told how many bytes there are; it may be nil. It fails with
// fault.Conflict if the upload has more than there is to send.
func (c *Client) SendUpload(ctx context.Context, uuid string, content io.ReaderAt, size int64, progress func(done, size int64)) error {
	const op = "client.SendUpload"
	buffer := make([]byte, min(size, part))
	for done, failures := int64(0), 0; ; {
		next := buffer[:min(int64(len(buffer)), size-done)]
		if failures > 0 {
			next = nil // first ask how much came
		}
		if _, err := content.ReadAt(next, done); err != nil && !errors.Is(err, io.EOF) {
			return fault.Because(op, fault.Internal, uuid, err, "cannot read what is to be sent")
		}
		total, err := c.AppendUpload(ctx, uuid, next)
		if err != nil {
			if failures++; !passes(err, failures) {
				return err
			}
			if cause := sleep(ctx, c.s.o.Poll); cause != nil {
				return fault.Because(op, fault.Unavailable, uuid, cause, "%s", fault.Text(err))
			}
			continue
		}
		if done, failures = total, 0; done > size {
			return fault.New(op, fault.Conflict, uuid, "upload %s has %d bytes, and only %d were to be sent: somebody else adds to it; begin another", uuid, done, size)
		}
		if progress != nil {
			progress(done, size)
		}
		if done == size {
			return nil
		}
	}
}

// passes reports whether it is worth asking on after so many failures in a row. A conflict after the first of them is the server
// that still reads the request that broke off.
func passes(err error, failures int) bool {
	return failures <= outage && (errors.Is(err, fault.Unavailable) || failures > 1 && errors.Is(err, fault.Conflict))
}

// UploadArtifact makes an upload, or a blob, an artifact or its next version, and returns the artifact. The upload is gone then.
func (c *Client) UploadArtifact(ctx context.Context, name string, r api.UploadArtifact) (api.Artifact, error) {
	if r.Namespace == nil {
		r.Namespace = c.namespace
	}
	var a api.Artifact
	err := c.call(ctx, http.MethodPost, api.PathArtifactUpload, []string{name}, r, &a)
	return a, err
}

// UploadFile makes content, which is size bytes long, an artifact or its next version, and returns the artifact. R says which;
// its UUIDs are filled in. Content that the server has already is not sent again. Progress is told how many bytes are there; it
// may be nil.
func (c *Client) UploadFile(ctx context.Context, name string, content io.ReaderAt, size int64, r api.UploadArtifact, progress func(done, size int64)) (api.Artifact, error) {
	sum := sha512.New()
	if _, err := io.Copy(sum, io.NewSectionReader(content, 0, size)); err != nil {
		return api.Artifact{}, fault.Because("client.UploadFile", fault.Internal, name, err, "cannot read what is to be sent")
	}
	known, ok, err := c.FindBlob(ctx, "sha512", hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return api.Artifact{}, err
	}
	r.UploadUUID, r.BlobUUID = nil, nil
	if ok && known.Size == size {
		r.BlobUUID = &known.UUID
		a, err := c.UploadArtifact(ctx, name, r)
		if !errors.Is(err, fault.NotFound) { // else it has just gone
			return a, err
		}
		r.BlobUUID = nil
	}
	u, err := c.CreateUpload(ctx)
	if err != nil {
		return api.Artifact{}, err
	}
	if err := c.SendUpload(ctx, u.UUID, content, size, progress); err != nil {
		return api.Artifact{}, err
	}
	r.UploadUUID = &u.UUID
	return c.UploadArtifact(ctx, name, r)
}
