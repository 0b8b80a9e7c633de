package blob

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// record is a blob in the store, at "blob/<uuid>". It has no hot fields: where a blob is, who refers to it and when it was
// used are keys of their own.
type record struct {
	Size      int64     `json:"size"`
	Modified  time.Time `json:"modified"`
	FetchedAt time.Time `json:"fetched_at"`
	SHA512    string    `json:"sha512"`
	SHA256    string    `json:"sha256,omitempty"`
	SHA1      string    `json:"sha1,omitempty"`
	XXH128    string    `json:"xxh128,omitempty"`
	Kind      Kind      `json:"kind,omitempty"`
	Facts     Facts     `json:"facts"`
	DependsOn string    `json:"depends_on,omitempty"`
	Deleted   time.Time `json:"deleted,omitzero"` // zero while it is live
}

func recordOf(s *Stored) record {
	return record{
		Size: s.Size, Modified: s.Modified, FetchedAt: s.FetchedAt, SHA512: s.SHA512, SHA256: s.SHA256, SHA1: s.SHA1,
		XXH128: s.XXH128, Kind: s.Kind, Facts: s.Facts, DependsOn: s.Base,
	}
}

func (r record) state() State {
	if r.Deleted.IsZero() {
		return Created
	}
	return Deleted
}

func (r record) checksums() Checksums {
	return Checksums{SHA512: r.SHA512, SHA256: r.SHA256, SHA1: r.SHA1, XXH128: r.XXH128}
}

// location says, at "location/<blob>/<node>", that a node has a copy of a blob.
type location struct {
	Since   time.Time `json:"since"`
	Checked time.Time `json:"checked,omitzero"` // when the copy was last read and compared; zero: when it was made
	Bad     string    `json:"bad,omitempty"`    // why nobody should use this copy; "" if it is good as far as anybody knows
	BadAt   time.Time `json:"bad_at,omitzero"`  // when that was seen; zero if Bad is ""
}

// used says, at "blob-used/<uuid>", when an instance last stopped using a blob. Those that use it now say so themselves.
type used struct {
	At time.Time `json:"at"`
}

// Record adds to tx that the stored content is a blob of this node, needed by owner, and that the blob beneath it, if it has
// one, is needed by it. It fails with fault.NotFound if that one is not live, and with fault.Invalid if the chain would be
// too long.
func (m *Manager) Record(ctx context.Context, tx *view.Txn, s *Stored, owner Owner) error {
	if s.Base != "" {
		if err := m.CheckBase(s.Base); err != nil {
			return err
		}
		if err := m.AddRef(tx, s.Base, Owner{Kind: Child, ID: s.ID}); err != nil {
			return err
		}
	}
	tx.Check(store.Absent(m.rows.Key(s.ID)))
	tx.Do(
		m.rows.Put(s.ID, recordOf(s)),
		m.locations.Put(s.ID+"/"+m.Node, location{Since: s.FetchedAt}),
		m.refs.Put(owner.row(s.ID), owner.reference()),
		m.Events.Op(ctx, about(s.ID), event.Status, "created", map[string]any{"size": s.Size, "sha512": s.SHA512, "node": m.Node}),
	)
	return nil
}
