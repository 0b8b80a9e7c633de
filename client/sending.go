package client

import (
	"context"
	"errors"
	"io"

	"github.com/shakenfist/shakenfist/fault"
)

// How many bytes of an upload are in one request. What stands before a server may take less than the server.
const (
	largestPart  = 8 << 20
	smallestPart = 64 << 10
)

// SendUpload adds content, which is size bytes long, to an upload that is empty. It goes on where a connection broke off, until
// the server has had nothing to say for a while. Progress is told how many bytes there are; it may be nil. It fails with
// fault.Conflict if the upload gets more than was sent, or if content ends too early.
func (c *Client) SendUpload(ctx context.Context, uuid string, content io.ReaderAt, size int64, progress func(done, size int64)) error {
	s := sending{c: c, uuid: uuid, part: make([]byte, min(size, largestPart)), at: func(part []byte, offset int64) (int, error) {
		part = part[:min(int64(len(part)), size-offset)]
		n, err := content.ReadAt(part, offset)
		switch {
		case n == len(part):
			return n, nil
		case errors.Is(err, io.EOF):
			return 0, fault.New("client.SendUpload", fault.Conflict, uuid, "what is to be sent has become shorter than %d bytes meanwhile; send it again", size)
		}
		return 0, unreadable(uuid, err)
	}}
	if progress != nil {
		s.progress = func(done int64) { progress(done, size) }
	}
	return s.run(ctx)
}

// StreamUpload is SendUpload for content that can be read only once, and whose size nobody knows. It returns how many bytes there
// were.
func (c *Client) StreamUpload(ctx context.Context, uuid string, content io.Reader, progress func(done int64)) (size int64, err error) {
	w := window{uuid: uuid, from: content, held: make([]byte, 0, largestPart)}
	s := sending{c: c, uuid: uuid, part: make([]byte, largestPart), at: w.at, progress: progress}
	err = s.run(ctx)
	return s.done, err
}

// window is the part of a stream that may have to be sent again.
type window struct {
	uuid  string
	from  io.Reader
	start int64  // offset of held in the stream
	held  []byte // with room for a part
	ended bool
}

// at copies what the stream has from an offset on, which is in held or at its end.
func (w *window) at(part []byte, offset int64) (int, error) {
	switch skip := offset - w.start; {
	case skip < 0:
		return 0, fault.New("client.StreamUpload", fault.Conflict, w.uuid, "upload %s has lost bytes that can't be read again; send all of it again", w.uuid)
	case skip < int64(len(w.held)):
		return copy(part, w.held[skip:]), nil
	}
	if w.ended {
		return 0, nil
	}
	n, err := io.ReadFull(w.from, w.held[:cap(w.held)])
	w.start, w.held = offset, w.held[:n]
	w.ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !w.ended {
		return 0, unreadable(w.uuid, err)
	}
	return copy(part, w.held), nil
}

func unreadable(uuid string, err error) error {
	return fault.Because("client.SendUpload", fault.Internal, uuid, err, "cannot read what is to be sent")
}

// sending is content on its way to an upload.
type sending struct {
	c        *Client
	uuid     string
	at       func(part []byte, offset int64) (int, error) // copies content from an offset on; 0 bytes at its end
	progress func(done int64)                             // may be nil
	part     []byte                                       // for the largest piece

	done     int64 // bytes that the server has
	sent     int64 // bytes that it can have
	piece    int   // bytes of the next piece: less while connections break off
	asking   bool  // how much of the last piece came
	failures int   // since the server took something
}

// run sends until the content ends.
func (s *sending) run(ctx context.Context) error {
	s.piece = len(s.part)
	for {
		var piece []byte
		if !s.asking {
			n, err := s.at(s.part[:s.piece], s.done)
			if err != nil || n == 0 {
				return err
			}
			piece = s.part[:n]
			s.sent = s.done + int64(n)
		}
		total, err := s.c.AppendUpload(ctx, s.uuid, piece)
		if err == nil {
			err = s.took(ctx, total)
		}
		if err != nil {
			if err = s.failed(ctx, err); err != nil {
				return err
			}
		}
	}
}

// took is told how many bytes the server says that it has.
func (s *sending) took(ctx context.Context, total int64) error {
	switch {
	case total > s.sent && s.failures == 0:
		return fault.New("client.SendUpload", fault.Conflict, s.uuid,
			"upload %s has %d bytes, and only %d were sent: somebody else adds to it; begin another", s.uuid, total, s.sent)
	case total > s.sent: // something on the way sent a piece twice
		if err := s.c.TruncateUpload(ctx, s.uuid, s.done); err != nil {
			return err
		}
		total = s.done
	case total <= s.done && !s.asking:
		return fault.New("client.SendUpload", fault.Unavailable, s.uuid, "upload %s has %d bytes, and %d were sent: the server keeps nothing", s.uuid, total, s.sent)
	}
	if total > s.done {
		s.failures = 0
		s.piece = min(2*s.piece, len(s.part))
	}
	s.done, s.asking = total, false
	if s.progress != nil {
		s.progress(total)
	}
	return nil
}

// failed returns nil if the server shall be asked again, once it was left alone for a moment.
func (s *sending) failed(ctx context.Context, err error) error {
	if errors.As(err, new(tooLargeError)) && s.piece > smallestPart {
		s.piece /= 2
		s.part = s.part[:s.piece]
		return nil
	}
	// A conflict is the server still reading the request that broke off.
	if passing := errors.Is(err, fault.Unavailable) || s.failures > 0 && errors.Is(err, fault.Conflict); !passing || s.failures >= outage {
		return err
	}
	s.failures++
	s.asking = true
	s.piece = max(s.piece/2, min(smallestPart, len(s.part)))
	if cause := sleep(ctx, s.c.s.o.Poll); cause != nil {
		return fault.Because("client.SendUpload", fault.Unavailable, s.uuid, cause, "%s", fault.Text(err))
	}
	return nil
}
