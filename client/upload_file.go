package client

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// UploadOptions say who is told how an upload goes. The functions may be nil.
type UploadOptions struct {
	Hashed func(done, size int64) // how many bytes were read to see whether the server has them
	Sent   func(done, size int64) // how many bytes the server has of size; 0 if that is not known
	Known  func(b api.Blob)       // the server has the content already, as this blob; nothing is sent
	Check  func()                 // all is sent; from now on the server checks it
}

// UploadFile makes content, which is size bytes long, an artifact or its next version, and returns the artifact. R says which;
// its UUIDs are filled in. Content that the server has already is not sent. Of an upload that fails nothing stays. Large content
// is checked by the server for as long as it takes. It fails with fault.Conflict if what arrived is something else.
func (c *Client) UploadFile(ctx context.Context, name string, content io.ReaderAt, size int64, r api.UploadArtifact, o UploadOptions) (api.Artifact, error) {
	if err := c.takesType(ctx, r); err != nil {
		return api.Artifact{}, err
	}
	sum, err := sumOf(ctx, io.NewSectionReader(content, 0, size), size, o.Hashed)
	if err != nil {
		return api.Artifact{}, err
	}
	if a, ok, err := c.fromKnown(ctx, name, sum, size, r, o); ok || err != nil {
		return a, err
	}
	return c.fromUpload(ctx, name, r, o, func(uuid string) (string, int64, error) {
		return sum, size, c.SendUpload(ctx, uuid, content, size, o.Sent)
	})
}

// UploadStream is UploadFile for content that can be read only once. It is sent whether or not the server has it.
func (c *Client) UploadStream(ctx context.Context, name string, content io.Reader, r api.UploadArtifact, o UploadOptions) (api.Artifact, error) {
	if err := c.takesType(ctx, r); err != nil {
		return api.Artifact{}, err
	}
	return c.fromUpload(ctx, name, r, o, func(uuid string) (string, int64, error) {
		sum := sha512.New()
		size, err := c.StreamUpload(ctx, uuid, io.TeeReader(content, sum), func(done int64) {
			if o.Sent != nil {
				o.Sent(done, 0)
			}
		})
		if err == nil && size == 0 {
			err = fault.New("client.UploadStream", fault.Invalid, name, "there is nothing to send")
		}
		return hex.EncodeToString(sum.Sum(nil)), size, err
	})
}

// takesType fails with fault.Invalid if the server doesn't know the type of artifact.
func (c *Client) takesType(ctx context.Context, r api.UploadArtifact) error {
	if r.Type == nil {
		return nil
	}
	can, err := c.Has(ctx, api.CanUploadTypes)
	if err == nil && !can {
		err = fault.New("client.UploadFile", fault.Invalid, "", "the server is too old for artifacts of type %s; it takes uploads of images only", *r.Type)
	}
	return err
}

// fromKnown makes an artifact of a blob with that content, if there is one.
func (c *Client) fromKnown(ctx context.Context, name, sum string, size int64, r api.UploadArtifact, o UploadOptions) (a api.Artifact, ok bool, err error) {
	if can, err := c.Has(ctx, api.CanBlobSearchByHash); err != nil || !can {
		return a, false, err
	}
	b, ok, err := c.FindBlob(ctx, "sha512", sum)
	if err != nil || !ok || b.Size != size {
		return a, false, err
	}
	r.UploadUUID, r.BlobUUID = nil, &b.UUID
	a, err = c.UploadArtifact(ctx, name, r)
	if errors.Is(err, fault.NotFound) {
		if _, gone := c.GetBlob(ctx, b.UUID); errors.Is(gone, fault.NotFound) { // just now; else something else is not there
			return a, false, nil
		}
	}
	if err == nil && o.Known != nil {
		o.Known(b)
	}
	return a, true, err
}

// fromUpload makes an artifact of what send adds to an upload, and returns the SHA-512 and size of.
func (c *Client) fromUpload(ctx context.Context, name string, r api.UploadArtifact, o UploadOptions, send func(uuid string) (sum string, size int64, err error)) (api.Artifact, error) {
	u, err := c.CreateUpload(ctx)
	if err != nil {
		return api.Artifact{}, err
	}
	sum, size, err := send(u.UUID)
	if err != nil {
		c.discard(ctx, u.UUID)
		return api.Artifact{}, err
	}
	if o.Check != nil {
		o.Check()
	}
	r.UploadUUID, r.BlobUUID = &u.UUID, nil
	a, err := c.whenChecked(ctx, name, r)
	if err != nil {
		c.discard(ctx, u.UUID)
		return a, err
	}
	return a, c.sameContent(ctx, a, sum, size)
}

// checking is how long the server may take to check what it got.
const checking = 2 * time.Hour

// whenChecked is UploadArtifact as soon as the server has checked the upload. The answer may get lost: who asks again gets it.
func (c *Client) whenChecked(ctx context.Context, name string, r api.UploadArtifact) (api.Artifact, error) {
	deadline := time.Now().Add(checking)
	for failures := 0; ; {
		a, err := c.UploadArtifact(ctx, name, r)
		switch {
		case errors.Is(err, fault.NotReady) && time.Now().Before(deadline):
			failures = 0
		case errors.Is(err, fault.Unavailable) && failures < outage, errors.Is(err, fault.Conflict) && 0 < failures && failures < outage:
			failures++
		default:
			return a, err
		}
		if cause := sleep(ctx, c.s.o.Poll); cause != nil {
			return a, fault.Because("client.UploadFile", fault.Unavailable, *r.UploadUUID, cause, "%s", fault.Text(err))
		}
	}
}

// farewell is how long an upload that failed is tidied up.
const farewell = 5 * time.Second

// discard has an upload take no room until it expires; even if ctx ended, since that may be why it is of no use.
func (c *Client) discard(ctx context.Context, uuid string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	for {
		err := c.TruncateUpload(ctx, uuid, 0)
		if err == nil || !errors.Is(err, fault.Conflict) || sleep(ctx, c.s.o.Poll) != nil {
			return // else the server still reads the request that broke off
		}
	}
}

// sameContent compares the newest version of an artifact with what was sent. What the server unpacked has another size.
func (c *Client) sameContent(ctx context.Context, a api.Artifact, sum string, size int64) error {
	b, err := c.GetBlob(ctx, a.BlobUUID)
	if err != nil || b.Size != size || b.SHA512 == nil || *b.SHA512 == sum {
		return err
	}
	return fault.New("client.UploadFile", fault.Conflict, a.UUID,
		"version %d of artifact %s is not what was to be sent, but blob %s: did the file change meanwhile? Send it again", a.Index, a.UUID, b.UUID)
}

// sumOf returns the SHA-512 in hex of what r has, which should be size bytes.
func sumOf(ctx context.Context, r io.Reader, size int64, progress func(done, size int64)) (string, error) {
	sum := sha512.New()
	for done := int64(0); ; {
		n, err := io.CopyN(sum, r, largestPart)
		done += n
		if progress != nil {
			progress(done, size)
		}
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return "", fault.Because("client.UploadFile", fault.Internal, "", err, "cannot read what is to be sent")
		}
	}
}
