package qcow2

import "io"

// Over reads the header of a copy of size bytes that this cloud made of what one disk wrote. It fails as Whole does, except
// that the image must lie over a QCOW2 image that it calls exactly name.
func Over(r io.ReaderAt, size, limit int64, name string) (Header, error) {
	h, err := thin(r, limit, name)
	if err == nil {
		err = h.checkTables(r, uint64(size)) //nolint:gosec // not negative
	}
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

func thin(r io.ReaderAt, limit int64, name string) (Header, error) {
	h, err := read(r, limit)
	if err == nil {
		err = h.checkFeatures()
	}
	format := ""
	if err == nil {
		format, err = h.checkExtensions(r)
	}
	if err == nil {
		err = h.checkBacking(r, name, format)
	}
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

// checkBacking refuses what does not lie over the QCOW2 image of that name. The format is what the extensions say of it.
func (h Header) checkBacking(r io.ReaderAt, name, format string) error {
	at, length := h.BackingOffset, uint64(h.BackingBytes)
	switch {
	case at == 0 || length == 0 || name == "":
		return refused("lies over no other, but should lie over %q", name)
	case at < uint64(h.length) || at > uint64(h.ClusterSize) || length > uint64(h.ClusterSize)-at: //nolint:gosec // positive
		return refused("has the name of its backing file at %d, which is not within its first cluster: it is damaged", at)
	case length != uint64(len(name)):
		return refused("names a backing file by %d bytes, want %q", length, name)
	case format != "qcow2":
		return refused("says of its backing file that its format is %q, want \"qcow2\"", format)
	}
	b, err := readAt(r, int64(at), len(name)) //nolint:gosec // within the first cluster
	if err != nil {
		return err
	}
	if string(b) != name {
		return refused("names another backing file than %q", name)
	}
	return nil
}
