package server

import (
	"fmt"
	"strconv"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// imageInfo shows what a blob's header says, in the words of qemu-img; nil if nobody looked at it.
func imageInfo(b blob.Blob) *api.ImageInfo {
	f := b.Facts
	if f.Format == "" {
		return nil
	}
	info := &api.ImageInfo{
		MIMEType: f.MIMEType, FileFormat: string(f.Format), VirtualSize: api.Float(f.VirtualSize),
		DiskSize: humanSize(b.Size), CompressionType: f.Compression,
	}
	switch f.Format {
	case hypervisor.ISO:
		info.FileFormat = string(hypervisor.Raw) // qemu-img has no name for it
	case hypervisor.QCOW2:
		info.ExtendedL2 = strconv.FormatBool(f.ExtendedL2)
	case hypervisor.VHD:
		info.FileFormat = "vpc"
	case hypervisor.Raw, hypervisor.VMDK, hypervisor.VDI:
	}
	if f.ClusterSize > 0 {
		info.ClusterSize = new(api.Float(f.ClusterSize))
	}
	if compat, err := strconv.ParseFloat(f.Compat, 64); err == nil {
		info.Compat = new(api.Float(compat))
	}
	return info
}

// humanSize is a number of bytes for humans, such as 3.31 GiB.
func humanSize(bytes int64) string {
	size, unit := float64(bytes), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, larger
	}
	if unit == "B" {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	return fmt.Sprintf("%.3g %s", size, unit)
}
