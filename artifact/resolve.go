package artifact

import (
	"context"
	"strings"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/lookup"
)

// Base is the content that a disk begins with.
type Base struct {
	Blob     string // UUID
	Artifact string // UUID of the artifact whose newest version it is; "" if the blob was named itself
}

// Resolve returns the content that the base of a disk names, for a caller who wants to use it:
//
//	label:<name>, label:<namespace>/<name>
//	sf://label/<namespace>/<name>
//	sf://upload/<namespace>/<name>
//	sf://snapshot/<UUID of the artifact>
//	sf://instance/<UUID of the instance>/<device>
//	sf://blob/<UUID>
//
// All but the last are artifacts that the caller's namespace owns, is trusted with, or that are shared, and mean the newest
// version. A blob is for everybody who knows its UUID. Whether the content is a disk is the caller's to look at. It is not ok
// for anything else, which is a URL or a shorthand. It fails with fault.NotFound, naming the base, and with fault.Conflict if
// several artifacts of others have that name.
func (m *Manager) Resolve(ctx context.Context, caller, base string) (ref Base, ok bool, err error) {
	if label, isLabel := strings.CutPrefix(base, "label:"); isLabel {
		namespace, name, err := splitLabel(caller, label)
		if err != nil {
			return Base{}, true, err
		}
		ref, err = m.newestOf(caller, base, Label, labelScheme+namespace+"/"+name)
		return ref, true, err
	}
	kind, rest, found := strings.Cut(strings.TrimPrefix(base, scheme), "/")
	if !found || !strings.HasPrefix(base, scheme) {
		if strings.HasPrefix(base, scheme) {
			return Base{}, true, errForm(base)
		}
		return Base{}, false, nil
	}
	switch scheme + kind + "/" {
	case labelScheme:
		ref, err = m.newestOf(caller, base, Label, base)
	case uploadScheme:
		ref, err = m.newestOf(caller, base, Image, base)
	case instanceScheme:
		ref, err = m.newestOf(caller, base, Snapshot, snapshotURL(rest))
	case snapshotScheme:
		ref, err = m.newestByID(caller, base, rest)
	case blobScheme:
		ref, err = m.exactly(ctx, base, rest)
	default:
		err = errForm(base)
	}
	return ref, true, err
}

// snapshotURL is the source of the copies of a disk, its UUID in the usual form.
func snapshotURL(disk string) string {
	instance, device, _ := strings.Cut(disk, "/")
	if id, ok := lookup.UUID(instance); ok {
		instance = id
	}
	return instanceScheme + instance + "/" + device
}

// newestOf finds the artifact of a type and source that is meant: the caller's own, one of whom the source speaks, one of
// somebody else who trusts the caller, a shared one.
func (m *Manager) newestOf(caller, base string, t Type, url string) (Base, error) {
	named := ""
	if _, rest, ok := strings.Cut(strings.TrimPrefix(url, scheme), "/"); ok && t != Snapshot {
		named, _, _ = strings.Cut(rest, "/")
	}
	var tiers [4][]Base
	for _, row := range m.rows.By("url", urlKey(t, url)) {
		owner := row.Value.Namespace
		ref, ok := m.newestIn(row)
		switch trusted := m.Namespaces.Trusts(owner, caller); {
		case !ok:
		case owner == caller:
			tiers[0] = append(tiers[0], ref)
		case trusted && owner == named:
			tiers[1] = append(tiers[1], ref)
		case trusted:
			tiers[2] = append(tiers[2], ref)
		case row.Value.Shared:
			tiers[3] = append(tiers[3], ref)
		}
	}
	for _, hits := range tiers {
		if len(hits) == 1 {
			return hits[0], nil
		}
		if len(hits) > 1 {
			return Base{}, fault.New("artifact.Resolve", fault.Conflict, "",
				"%.200q is the name of %d artifacts of other namespaces; name the one that is meant by %s<UUID>", base, len(hits), snapshotScheme)
		}
	}
	return Base{}, errNoBase(base)
}

// newestIn returns the newest version of an artifact in state Created.
func (m *Manager) newestIn(row row) (Base, bool) {
	versions := m.versions.By("artifact", row.ID)
	if stateOf(row.Value, m.status(row.ID)) != Created || len(versions) == 0 {
		return Base{}, false
	}
	return Base{Blob: versions[len(versions)-1].Value.Blob, Artifact: row.ID}, true
}

func (m *Manager) newestByID(caller, base, text string) (Base, error) {
	id, _ := lookup.UUID(text)
	row, ok := m.rows.Get(id)
	if !ok || !m.usable(row.Value.Namespace, caller, row.Value.Shared) {
		return Base{}, errNoBase(base)
	}
	ref, ok := m.newestIn(row)
	if !ok {
		return Base{}, errNoBase(base)
	}
	return ref, nil
}

func (m *Manager) exactly(ctx context.Context, base, text string) (Base, error) {
	id, _ := lookup.UUID(text)
	if b, err := m.Blobs.Get(ctx, id); err != nil || b.State == blob.Deleted {
		return Base{}, errNoBase(base)
	}
	return Base{Blob: id}, nil
}

func errNoBase(base string) error {
	return fault.New("artifact.Resolve", fault.NotFound, "", "%.200q not found: nothing of that name that is finished is yours to use", base)
}

func errForm(base string) error {
	return fault.New("artifact.Resolve", fault.Invalid, "",
		"%.200q is no base: after %s comes label, upload, snapshot, instance or blob, and then a slash and what is meant", base, scheme)
}
