package blob

import (
	"context"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// algorithms are those that content can be looked up by.
func algorithms() []string { return []string{SHA1, SHA256, SHA512, XXH128} }

// Twin returns a live blob with the same bytes as what was stored, on top of the same blob, and as good for disks, if a
// node has an undamaged copy. Whoever refers to that one saves the room. The commit that does so conflicts if it ends
// meanwhile.
func (m *Manager) Twin(s *Stored) (blobID string, ok bool) {
	for _, row := range m.same(s) {
		if m.Held(row.ID) {
			return row.ID, true
		}
	}
	return "", false
}

// same returns the live blobs, but for itself, of which the stored content could be a copy.
func (m *Manager) same(s *Stored) []view.Row[record] {
	var rows []view.Row[record]
	for _, row := range m.rows.By(SHA512, s.SHA512) {
		r := row.Value
		good := r.Kind == s.Kind || r.Kind == Image && s.Kind == Other
		if good && row.ID != s.ID && r.state() == Created && r.Size == s.Size && r.DependsOn == s.Base {
			rows = append(rows, row)
		}
	}
	return rows
}

// ByChecksum returns a live blob whose content has this checksum, in hexadecimal digits of either case, and is on some
// node. It fails with fault.Invalid if the algorithm is none of sha1, sha256, sha512 and xxh128.
func (m *Manager) ByChecksum(_ context.Context, algorithm, hash string) (b Blob, ok bool, err error) {
	known := false
	for _, a := range algorithms() {
		known = known || a == algorithm
	}
	if !known {
		return b, false, fault.New("blob.ByChecksum", fault.Invalid, algorithm, "unknown hash algorithm %q: use %s",
			algorithm, strings.Join(algorithms(), ", "))
	}
	for _, row := range m.rows.By(algorithm, strings.ToLower(hash)) {
		if row.Value.state() == Created && m.Held(row.ID) {
			return m.toBlob(row), true, nil
		}
	}
	return b, false, nil
}
