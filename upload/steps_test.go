package upload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/internal/step"
)

// slow is a hook that has the content of uploads linked only when gate is closed.
func slow(gate chan struct{}) step.Hook {
	return func(ctx context.Context, s step.Step) error {
		if s.Name != "link blob" || s.After {
			return nil
		}
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// life is what happens in the life of two uploads, of which one is made a blob and one expires.
var life = []string{
	"create upload file", "commit create upload", "rename upload file", "truncate upload", "link blob", "commit finish upload", "remove upload file",
	"commit expire upload",
}

var errKilled = errors.New("the process was killed")

// live lives that life, and reports how far it got.
func (n *node) live(ctx context.Context) error {
	u, err := n.uploads.Create(ctx, "tenant")
	if err != nil {
		return err
	}
	if _, err := n.uploads.Append(ctx, u.ID, &endless{left: 4096}); err != nil {
		return err
	}
	s, _, release, err := n.uploads.Take(ctx, u.ID, blob.Content{Kind: blob.Other})
	if err != nil {
		return err
	}
	defer n.blobs.Hold(s.ID)() // so that its file is still the upload's
	release()
	if err := n.uploads.Truncate(ctx, u.ID, 2048); err != nil {
		return err
	}
	if _, err := n.finish(ctx, u.ID, blob.Other); err != nil {
		return err
	}
	if _, err := n.uploads.Create(ctx, "tenant"); err != nil {
		return err
	}
	for n.ctx.Err() == nil && (len(n.records()) > 0 || len(n.files("uploads")) > 0) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Hour):
		}
	}
	return context.Cause(ctx)
}

// endless reads as so many bytes.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	e.left -= n
	return n, nil
}

// trap kills the process at a step, before or after its effect.
type trap struct {
	at    string
	after bool

	mu   sync.Mutex
	kill context.CancelCauseFunc // guarded by mu
	seen []string                // guarded by mu
	dead bool                    // guarded by mu
}

func (p *trap) hook(_ context.Context, s step.Step) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errKilled
	}
	if !s.After {
		p.seen = append(p.seen, s.Name)
	}
	if s.Name != p.at || s.After != p.after {
		return nil
	}
	p.dead = true
	p.kill(errKilled)
	return errKilled
}

func TestTheProcessCanDieAtEveryStepOfAnUpload(t *testing.T) {
	t.Parallel()
	for _, name := range life {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v", name, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					p := &trap{at: name, after: after}
					n := w.start(p.hook)
					ctx, kill := context.WithCancelCause(n.ctx)
					p.mu.Lock()
					p.kill = kill
					p.mu.Unlock()
					require.ErrorIs(t, n.live(ctx), errKilled)
					n.stop()
					require.True(t, p.dead)

					again := w.start(nil)
					time.Sleep(2 * resync)
					require.ElementsMatch(t, w.records(), w.files("uploads"), "what is known is there, and nothing else")
					blobs := again.blobs.List(again.ctx)
					require.Len(t, w.files("blobs"), len(blobs))
					require.Equal(t, slices.Contains(p.seen, "commit finish upload") && (after || name != "commit finish upload"), len(blobs) == 1)
					time.Sleep(25 * time.Hour)
					require.Empty(t, w.records())
					require.Empty(t, w.files("uploads"))
				})
			})
		}
	}
}

func TestALifeHasTheStepsThatAreTried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &trap{}
		n := newWorld(t).start(p.hook)
		require.NoError(t, n.live(n.ctx))
		n.stop()
		slices.Sort(p.seen)
		seen := slices.Compact(p.seen)
		require.Subset(t, seen, life)
		for _, name := range seen {
			ours := !strings.HasPrefix(name, "commit note check of blob") // and not the blob's
			require.True(t, !ours || slices.Contains(life, name), "step %q is not tried", name)
		}
	})
}
