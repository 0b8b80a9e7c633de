package blob

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// How long what can wait does.
const (
	careResync = time.Hour   // until what was missed is looked at again
	careRetry  = time.Minute // until what is in somebody's hands is looked at again
	careFailed = time.Hour   // until an image that could not be kept as a blob is tried again
)

// look does for one blob of this node what can wait: its bootable image becomes a blob of its own, and its copy is read again
// when it is time.
func (m *Manager) look(ctx context.Context, id string) (time.Duration, error) {
	row, ok := m.rows.Get(id)
	l, here := m.copyHere(id)
	if !ok || !here || row.Value.state() == Deleted {
		return 0, nil
	}
	if m.isHeld(id) {
		return careRetry, nil
	}
	next, err := m.verify(ctx, row, l)
	if err != nil {
		return 0, err
	}
	if err := m.keepTranscode(ctx, row); err != nil {
		if ctx.Err() != nil || fault.KindOf(err) == fault.Conflict {
			return 0, err
		}
		m.Log.WarnContext(ctx, "a bootable image could not be kept as a blob; it works all the same, but may be made again",
			slog.String("blob", id), slog.Any("error", err))
		if next <= 0 || next > careFailed {
			next = careFailed
		}
	}
	return next, nil
}

// idsHere returns the blobs of which this node has a copy.
func (m *Manager) idsHere() []string {
	rows := m.locations.By("node", m.Node)
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = blobOf(r.ID)
	}
	return ids
}

// verify reads this node's copy of a blob if that is due, and says what it found. It returns when it is due again; 0: never.
func (m *Manager) verify(ctx context.Context, row view.Row[record], l view.Row[location]) (time.Duration, error) {
	if m.Verify < 0 {
		return 0, nil
	}
	if left := time.Until(m.dueAt(row.ID, l.Value)); left > 0 {
		return left, nil
	}
	bad, err := m.compare(ctx, row, m.Path(row.ID), m.ReadRate)
	if errors.Is(err, fs.ErrNotExist) {
		m.loop.Wake(row.ID)
		return careRetry, nil
	}
	if err != nil {
		return 0, err
	}
	if err := m.note(ctx, row, l, bad); err != nil {
		return 0, err
	}
	return m.Verify, nil
}

// dueAt spreads copies that were made at the same moment over an eighth of the time between two looks.
func (m *Manager) dueAt(id string, l location) time.Time {
	last := l.Since
	if l.Checked.After(last) {
		last = l.Checked
	}
	h := fnv.New32a()
	h.Write([]byte(id))
	const parts = 1 << 10
	return last.Add(m.Verify - m.Verify/8/parts*time.Duration(h.Sum32()%parts))
}

// note records what a look at this node's copy of a blob found: why it is bad, or "". Whoever changed what is said of the
// copy meanwhile knew better.
func (m *Manager) note(ctx context.Context, row view.Row[record], was view.Row[location], bad string) error {
	now := was.Value
	now.Checked = time.Now()
	tx := view.Txn{Name: "note check of blob", Ref: row.ID}
	tx.Check(m.locations.At(was, was.ID), m.rows.At(row, row.ID))
	extra := map[string]any{"blob": row.ID, "node": m.Node, "reason": bad}
	switch {
	case bad != "" && was.Value.Bad == "":
		now.Bad, now.BadAt = bad, now.Checked
		m.Log.ErrorContext(ctx, "the copy of a blob is damaged and not used any more; fetch or upload the same content again, which repairs it",
			slog.String("blob", row.ID), slog.String("reason", bad))
		tx.Do(m.Events.Op(ctx, about(row.ID), event.Status, "copy on node "+m.Node+" is damaged", extra),
			m.Events.Op(ctx, event.Object{Kind: "node", ID: m.Node}, event.Status, "copy of blob "+row.ID+" is damaged", extra))
	case bad == "" && was.Value.Bad != "":
		now.Bad, now.BadAt = "", time.Time{}
		tx.Do(m.Events.Op(ctx, about(row.ID), event.Status, "copy on node "+m.Node+" is good again", nil))
	}
	tx.Do(m.locations.Put(was.ID, now))
	return m.commit(ctx, tx)
}

// misfit says why a file cannot be a copy of size bytes; "" if it may be.
func misfit(info fs.FileInfo, size int64) string {
	switch {
	case !info.Mode().IsRegular():
		return "it is not a plain file any more"
	case info.Size() != size:
		return fmt.Sprintf("it has %d bytes and should have %d", info.Size(), size)
	}
	return ""
}

// compare reads a file, stepping back for everything else if rate is above 0, and says why it is no good copy of a blob; ""
// if it is. It fails, with fs.ErrNotExist among others, if it can't say.
func (m *Manager) compare(ctx context.Context, row view.Row[record], path string, rate int64) (bad string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fault.Because("blob.compare", fault.Internal, row.ID, err, "the content cannot be read")
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return "", fault.Because("blob.compare", fault.Internal, row.ID, err, "the content cannot be looked at")
	}
	if bad := misfit(info, row.Value.Size); bad != "" {
		return bad, nil
	}
	var from io.Reader = ctxReader{ctx, f}
	hash := sha512.New()
	sum := func() error {
		_, err := io.CopyBuffer(struct{ io.Writer }{hash}, from, make([]byte, gentleBytes))
		return err
	}
	if rate > 0 {
		from = &gentleReader{ctx: ctx, file: f, rate: rate, cold: true}
		err = humbly(sum)
	} else {
		err = sum()
	}
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, syscall.EIO):
		return "the disk cannot read it: input/output error", nil
	case err != nil:
		return "", fault.Because("blob.compare", fault.Internal, row.ID, err, "the content cannot be read")
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != row.Value.SHA512 {
		return fmt.Sprintf("its sha512 is %s and should be %s", beginning(got), beginning(row.Value.SHA512)), nil
	}
	return "", nil
}
