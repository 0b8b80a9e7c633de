package instance

import (
	"context"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/view"
)

// image is what a disk is made of: nothing, an image that is fetched for it, or a blob that was there when it was asked for.
type image struct {
	Artifact   string `json:"artifact,omitempty"`   // UUID of what is fetched
	Generation int64  `json:"generation,omitempty"` // of the fetch that must be done
	Blob       string `json:"blob,omitempty"`       // UUID of what was there; referred to since the create
	GiB        int64  `json:"gib,omitempty"`        // virtual size of Blob, rounded up; 0 for a CD-ROM
}

// material is what an instance is made of.
type material struct {
	images []image // for each of Spec.Disks
	nvram  string  // blob; "" for the firmware's own variables
}

// resolve finds what the bases of a spec name. It fails with fault.NotFound for what is not there or not the caller's to
// use, and with fault.Invalid for what can't be a disk of that size. Images that must be fetched are left to refer.
func (m *Manager) resolve(ctx context.Context, s *Spec) (made material, err error) {
	made.images = make([]image, len(s.Disks))
	for n, d := range s.Disks {
		if d.Base == "" {
			continue
		}
		base, here, err := m.Artifacts.Resolve(ctx, s.caller(), d.Base)
		if err != nil {
			return made, err
		}
		if !here {
			continue
		}
		b, err := m.Blobs.Get(ctx, base.Blob)
		if err != nil {
			return made, err
		}
		size, err := d.on(n, b)
		if err != nil {
			return made, err
		}
		made.images[n] = image{Blob: base.Blob, GiB: size}
	}
	made.nvram, err = m.resolveTemplate(ctx, s)
	return made, err
}

// caller is as whom artifacts are looked up.
func (s *Spec) caller() string {
	if s.Caller != "" {
		return s.Caller
	}
	return s.Namespace
}

// on returns what the nth disk, made of b, counts to the disk that its node promises, in GiB. It fails with fault.Invalid if
// there can't be such a disk.
func (d DiskSpec) on(n int, b blob.Blob) (int64, error) {
	const gib = 1 << 30
	switch virtual := b.Facts.VirtualSize; {
	case b.Kind == blob.Other:
		return 0, invalid("disk %d: base %.80q is blob %s, which is not an image of a disk", n, d.Base, b.ID)
	case b.Facts.Format == hypervisor.ISO || d.Type == "cdrom":
		return 0, nil // attached as it is
	case d.SizeGiB > 0 && int64(d.SizeGiB)*gib < virtual:
		return 0, invalid("disk %d: size is %d GiB and its base %.80q has %d bytes: make it %d GiB or more, or leave out the size",
			n, d.SizeGiB, d.Base, virtual, (virtual+gib-1)/gib)
	default:
		return (virtual + gib - 1) / gib, nil
	}
}

// maxVariables bounds what firmware keeps its variables in, in bytes.
const maxVariables = 64 << 20

// resolveTemplate finds the blob that the firmware's variables begin as.
func (m *Manager) resolveTemplate(ctx context.Context, s *Spec) (string, error) {
	name := s.NVRAMTemplate
	if name == "" {
		return "", nil
	}
	if uuid.Validate(name) == nil {
		name = "sf://blob/" + name
	}
	base, here, err := m.Artifacts.Resolve(ctx, s.caller(), name)
	if err != nil {
		return "", fault.Because("instance.Create", fault.KindOf(err), "", err, "nvram_template: %s", fault.Text(err))
	}
	if !here {
		return "", invalid("nvram_template %.80q is not known: use label:NAME, sf://blob/UUID or the UUID of a blob", s.NVRAMTemplate)
	}
	b, err := m.Blobs.Get(ctx, base.Blob)
	if err != nil {
		return "", err
	}
	if b.Size > maxVariables {
		return "", invalid("nvram_template %.80q has %d bytes, at most %d are allowed: it is not what firmware keeps its variables in",
			s.NVRAMTemplate, b.Size, maxVariables)
	}
	return base.Blob, nil
}

// refer adds to tx that an instance needs the blobs that it is made of, and that the images which are not there are fetched.
func (m *Manager) refer(ctx context.Context, tx *view.Txn, id string, r *record) error {
	for n, d := range r.Spec.Disks {
		switch img := &r.Images[n]; {
		case img.Blob != "":
			if err := m.Blobs.AddRef(tx, img.Blob, diskOwner(id, r)); err != nil {
				return err
			}
		case d.Base != "":
			w, err := m.Artifacts.Want(ctx, tx, d.Base, r.Spec.Namespace)
			if err != nil {
				return err
			}
			img.Artifact, img.Generation = w.ArtifactID, w.Generation
		}
	}
	if r.NVRAM == "" {
		return nil
	}
	return m.Blobs.AddRef(tx, r.NVRAM, templateOwner(id, r))
}

// unrefer adds to tx that an instance needs no blob any more, however far it was built.
func (m *Manager) unrefer(tx *view.Txn, row row) {
	s, _ := m.statuses.Get(row.ID)
	blobs := map[string]bool{}
	for _, id := range append(blobsOf(s), imagesOf(row.Value, s.Value)...) {
		blobs[id] = id != ""
	}
	for id, is := range blobs {
		if is {
			m.Blobs.DropRef(tx, id, diskOwner(row.ID, &row.Value))
		}
	}
	if row.Value.NVRAM != "" {
		m.Blobs.DropRef(tx, row.Value.NVRAM, templateOwner(row.ID, &row.Value))
	}
}

func diskOwner(id string, r *record) blob.Owner {
	return blob.Owner{Kind: blob.Instance, ID: id, Node: r.Node}
}

func templateOwner(id string, r *record) blob.Owner {
	return blob.Owner{Kind: blob.NVRAM, ID: id, Node: r.Node}
}

// imagesOf returns, for each of the disks that were asked for, the blob beneath, as far as it is known. Of the disks as made,
// the config drive is second.
func imagesOf(r record, s status) []string {
	blobs := make([]string, len(r.Spec.Disks))
	for n := range blobs {
		if n < len(r.Images) {
			blobs[n] = r.Images[n].Blob
		}
		at := n
		if n > 0 && r.Spec.ConfigDrive != NoConfigDrive {
			at++
		}
		if blobs[n] == "" && at < len(s.Disks) {
			blobs[n] = s.Disks[at].Blob
		}
	}
	return blobs
}
