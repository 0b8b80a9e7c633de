package simhv

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"

	"github.com/shakenfist/shakenfist/fault"
)

// A simulated disk is the header of an image, then what guests wrote to it as text, then a footer: its magic, the bytes
// of that text, and, in a held file, how many bytes of text the disk beneath had when it began to stand still.
const (
	footerMagic = "simhv-disk-text\n"
	footerBytes = len(footerMagic) + 16
	mostText    = 1 << 30
)

// content is a simulated disk file without its head.
type content struct {
	at   int64  // bytes of the head, which is no text
	text string // what guests wrote to this file; not what they wrote to those beneath
	over int    // of a held file: the length of the text beneath
}

// tail returns the text and its footer, nothing if there is nothing to say.
func (c content) tail() []byte {
	if c.text == "" && c.over == 0 {
		return nil
	}
	b := append([]byte(c.text), footerMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(c.text)))
	return binary.BigEndian.AppendUint64(b, uint64(c.over)) //nolint:gosec // not negative
}

// read returns what a disk file has. Any image without a footer is one in which no guest has written. It fails with
// fault.NotFound if the file is not there.
func read(path string) (content, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return content{}, fault.New("simhv.read", fault.NotFound, path, "the disk %s is not there", path)
	}
	if err != nil {
		return content{}, unreadable(path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	fi, err := f.Stat()
	if err != nil {
		return content{}, unreadable(path, err)
	}
	none, at := content{at: fi.Size()}, fi.Size()-int64(footerBytes)
	if at < 0 {
		return none, nil
	}
	b := make([]byte, footerBytes)
	if _, err := f.ReadAt(b, at); err != nil {
		return content{}, unreadable(path, err)
	}
	numbers := b[len(footerMagic):]
	n, over := binary.BigEndian.Uint64(numbers), binary.BigEndian.Uint64(numbers[8:])
	if string(b[:len(footerMagic)]) != footerMagic || n > min(uint64(at), mostText) || over > mostText {
		return none, nil
	}
	text := make([]byte, n)
	at -= int64(len(text))
	if _, err := f.ReadAt(text, at); err != nil {
		return content{}, unreadable(path, err)
	}
	return content{at: at, text: string(text), over: int(over)}, nil
}

func unreadable(path string, err error) error {
	return fault.Because("simhv.read", fault.Internal, path, err, "the disk cannot be read")
}

// Written returns all the lines that simulated guests wrote to the images paths, of which each lies beneath the one before,
// oldest first. It fails with fault.NotFound if one is not there.
func Written(paths ...string) (string, error) {
	text := ""
	for _, path := range paths {
		c, err := read(path)
		if err != nil {
			return "", err
		}
		text = c.text + text
	}
	return text, nil
}

// appendText adds to what guests wrote to the file path.
func appendText(path, text string) error {
	c, err := read(path)
	if err != nil {
		return err
	}
	c.text += text
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fault.Because("simhv.write", fault.Internal, path, err, "the disk cannot be written")
	}
	_, err = f.WriteAt(c.tail(), c.at)
	if err := errors.Join(err, f.Close()); err != nil {
		return fault.Because("simhv.write", fault.Internal, path, err, "the disk cannot be written")
	}
	return nil
}
