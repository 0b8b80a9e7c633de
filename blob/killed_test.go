package blob_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

const (
	baseID = "5117f778-0000-4000-8000-000000000001"
	thinID = "5117f778-0000-4000-8000-000000000002"
)

// killer counts steps, and ends the process at one of them: nothing after it has any effect.
type killer struct {
	at    int // the number of the step, from 1; 0 for none
	after bool
	end   func()

	mu    sync.Mutex
	names []string // guarded by mu; of the steps that were begun
	dead  bool     // guarded by mu
}

var errKilled = errors.New("killed")

func (k *killer) hook(_ context.Context, s step.Step) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		return errKilled
	}
	if !s.After {
		k.names = append(k.names, s.Name)
	}
	if len(k.names) == k.at && s.After == k.after {
		k.dead = true
		if k.end != nil {
			k.end()
		}
		return errKilled
	}
	return nil
}

func (k *killer) isDead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dead
}

// stages are the life of two blobs, one on top of the other. Each is asked for again if the process died meanwhile.
func stages() []func(k *keeper) error {
	return []func(k *keeper) error{
		func(k *keeper) error { return k.put(content(image(2)), baseID, version(1)) },
		func(k *keeper) error { return k.put(thin(baseID), thinID, version(2)) },
		func(k *keeper) error {
			return k.try(func(tx *view.Txn) error {
				k.DropRef(tx, baseID, version(1))
				return k.AddRef(tx, thinID, guest("i"))
			})
		},
		func(k *keeper) error { return k.until(func() bool { _, _, ok, _ := k.Cached(thinID); return ok }) },
		func(k *keeper) error { return k.until(func() bool { return len(k.get(baseID).Transcodes) == 1 }) },
		func(k *keeper) error {
			if k.Held(baseID) {
				return os.WriteFile(k.Path(baseID), make([]byte, 1024), 0o600)
			}
			return nil
		},
		func(k *keeper) error { return k.until(func() bool { return !k.Held(baseID) }) },
		func(k *keeper) error { return k.mend(content(image(2))) },
		func(k *keeper) error {
			return k.try(func(tx *view.Txn) error { k.DropRef(tx, thinID, guest("i")); return nil })
		},
		func(k *keeper) error { return k.until(func() bool { return len(k.files()) == 2 }) }, // the contents
		func(k *keeper) error {
			return k.try(func(tx *view.Txn) error { k.DropRef(tx, thinID, version(2)); return nil })
		},
		func(k *keeper) error { return k.until(func() bool { return len(k.files()) == 0 }) },
		func(k *keeper) error { return k.until(func() bool { return len(k.keys()) == 0 }) },
	}
}

func (k *keeper) try(add func(tx *view.Txn) error) error {
	tx := view.Txn{Name: "test"}
	if err := add(&tx); err != nil {
		return err
	}
	_, err := k.view.Commit(k.ctx, tx)
	return err
}

// put makes content a blob, unless it is one.
func (k *keeper) put(c blob.Content, id string, owner blob.Owner) error {
	if _, err := k.Get(k.ctx, id); err == nil {
		return nil
	}
	c.ID = id
	s, err := k.Ingest(k.ctx, c)
	if err != nil {
		return err
	}
	defer s.Done()
	return k.try(func(tx *view.Txn) error { return k.Record(k.ctx, tx, s, owner) })
}

func (k *keeper) mend(c blob.Content) error {
	s, err := k.Ingest(k.ctx, c)
	if err != nil {
		return err
	}
	defer s.Done()
	_, err = k.Repair(k.ctx, s)
	return err
}

// until waits until cond holds or the process is dead. That takes hours, and never days.
func (k *keeper) until(cond func() bool) error {
	for range 400 {
		if k.ctx.Err() != nil {
			return k.ctx.Err()
		}
		if synctest.Wait(); cond() {
			return nil
		}
		time.Sleep(10 * time.Minute)
	}
	return fmt.Errorf("it does not come: %v", k.files())
}

// keys returns what the store knows of blobs.
func (k *keeper) keys() []string {
	k.t.Helper()
	keys := []string{}
	for _, prefix := range []string{"o/blob/", "o/blob-used/", "o/location/", "o/ref/", "o/metadata/"} {
		page, err := k.store.List(k.t.Context(), prefix, "", 0)
		require.NoError(k.t, err)
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// live goes through the stages on one store and folder, and starts another process whenever one died.
func live(t *testing.T, kill *killer) {
	t.Helper()
	s := memstore.New()
	defer s.Close() //nolint:errcheck // in memory
	dir := t.TempDir()
	quick := func(d *blob.Deps) {
		d.Resync, d.CacheIdle, d.Verify, d.KeepFrom, d.Linger = time.Hour, 2*time.Hour, 3*time.Hour, 1, time.Hour
	}
	run := func(h *killer) *keeper {
		k := startOn(t, s, dir, h.hook, quick)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.end = k.cancel
		return k
	}
	k := run(kill)
	for n, stage := range stages() {
		for {
			err := stage(k)
			if !kill.isDead() {
				require.NoError(t, err, "stage %d, killed at %d, after: %v", n, kill.at, kill.after)
				break
			}
			k.stop()
			kill = &killer{names: kill.names}
			k = run(kill)
		}
		if n < 11 && n > 1 {
			require.NoError(t, k.lost(), "stage %d", n)
		}
	}
	k.stop()
}

// lost says which content that is referred to is not there any more.
func (k *keeper) lost() error {
	for _, b := range k.List(k.ctx) {
		if b.References > 0 && !exists(k.Path(b.ID)) {
			return fmt.Errorf("blob %s is lost", b.ID)
		}
	}
	return nil
}

func TestKilledAtEveryStepOfABlobsLife(t *testing.T) {
	t.Parallel()
	var all []string
	synctest.Test(t, func(t *testing.T) {
		kill := &killer{}
		live(t, kill)
		all = kill.names
	})
	for n := range all {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) { live(t, &killer{at: n + 1, after: after}) })
		}
	}
	t.Logf("%d steps, killed before and after each: %q", len(all), all)
	require.Greater(t, len(all), 25)
	for _, name := range []string{
		"rename blob", "hypervisor.Convert", "link blob", "commit keep transcode", "commit note check of blob", "rename repaired blob",
		"commit repair blob", "commit drop transcodes", "remove file", "commit end blob", "commit drop blob location", "commit forget blob",
	} {
		require.Contains(t, all, name)
	}
}
