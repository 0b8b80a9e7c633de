package blob

import (
	"io"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// inspectQCOW2 takes a QCOW2 image if it is complete by itself and what its header claims fits within size bytes.
func inspectQCOW2(r io.ReaderAt, size int64, limits Limits) (Facts, error) {
	h, err := qcow2.Whole(r, size, limits.VirtualBytes)
	if err != nil {
		return Facts{}, fault.Wrap(opInspect, "", err)
	}
	return factsOf(h), nil
}

// inspectOver takes an image of this cloud that lies over another, if its header names that by exactly name.
func inspectOver(r io.ReaderAt, size int64, limits Limits, name string) (Facts, error) {
	if limits.VirtualBytes <= 0 {
		limits.VirtualBytes = MaxVirtualBytes
	}
	h, err := qcow2.Over(r, size, limits.VirtualBytes, name)
	if err != nil {
		return Facts{}, fault.Wrap(opInspect, "", err)
	}
	return factsOf(h), nil
}

func factsOf(h qcow2.Header) Facts {
	f := Facts{
		Format: hypervisor.QCOW2, MIMEType: "application/octet-stream", VirtualSize: h.Size,
		ClusterSize: h.ClusterSize, Compat: "1.1", Compression: "zlib", ExtendedL2: h.ExtendedL2(),
	}
	if h.Version == 2 {
		f.Compat = "0.10"
	}
	if h.Compression == 1 {
		f.Compression = "zstd"
	}
	return f
}
