package cloudtest

import (
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Tally counts what a garden went through.
type Tally struct {
	Operations int            // asked for
	Done       map[string]int // by name: those that were done
	Refused    map[string]int // by name: those that were refused as they should be
	Crashes    int            // of the process, at whatever step it was
	Settled    int            // moments at which everything was compared
	Compared   int            // contents that were read again and compared
	Longest    int            // chain of thin snapshots
	Transcoded int            // moments at which a blob had a transcode
}

// Add adds up two tallies.
func (t *Tally) Add(o Tally) {
	t.Operations += o.Operations
	t.Crashes += o.Crashes
	t.Settled += o.Settled
	t.Compared += o.Compared
	t.Transcoded += o.Transcoded
	t.Longest = max(t.Longest, o.Longest)
	for name, n := range o.Done {
		t.Done[name] += n
	}
	for name, n := range o.Refused {
		t.Refused[name] += n
	}
}

// garden is a cloud in which artifacts, labels, instances and snapshots come and go at random, and what is known of it from
// outside: what each artifact must have.
type garden struct {
	*Simulated
	t      *testing.T
	random *rand.Rand
	cloud  *shakenfist.Cloud
	mortal *mortal
	ctx    context.Context //nolint:containedctx // of the process that runs
	stop   func() error
	tally  Tally

	known     map[string]*known // by artifact
	instances map[string]bool   // that were asked for, and not deleted
	edition   atomic.Int64      // of what the server of images has
}

// Times of a garden: between looks at everything, and until what nobody used expires.
const (
	often  = 2 * time.Minute
	unused = time.Hour
)

// known is what an artifact must have.
type known struct {
	versions []string // checksums, oldest first
	max      int
	open     bool // something else happens to it by itself: what it has is looked up when that is over
}

// mortal ends a process some steps after it was told to.
type mortal struct {
	mu   sync.Mutex
	left int // guarded by mu; steps until the end, 0 for none
	dead bool
	end  func()
}

var errMortal = errors.New("the process died")

func (m *mortal) hook(context.Context, step.Step) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left > 0 {
		if m.left--; m.left == 0 {
			m.dead = true
			m.end()
		}
	}
	if m.dead {
		return errMortal
	}
	return nil
}

func (m *mortal) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// Garden has that many operations happen in a simulated cloud, chosen by the seed, its process dying now and then. After
// every some of them it waits until all is quiet and asserts that the blobs on disk are exactly those referred to, and that
// every content that must be there is there, unharmed. It must be called in a synctest bubble.
func Garden(t *testing.T, seed uint64, operations int) Tally {
	t.Helper()
	g := &garden{
		t: t, Simulated: newBubble(t, "n1"), random: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // a seeded sequence
		known: map[string]*known{}, instances: map[string]bool{},
		tally: Tally{Done: map[string]int{}, Refused: map[string]int{}},
	}
	g.boot()
	const breath = 40
	for g.tally.Operations < operations {
		for range min(breath, operations-g.tally.Operations) {
			g.operation()
		}
		g.settle()
	}
	g.clear()
	require.NoError(t, g.stop())
	return g.tally
}

// boot starts a process.
func (g *garden) boot() {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	g.mortal = &mortal{end: cancel}
	config := g.Parts.Config()
	config.Logger = slog.New(slog.DiscardHandler)
	config.Dir, config.HashCost, config.Steps = g.dir, 4, g.mortal.hook
	g.change(&config)
	config.HTTPClient = &http.Client{Transport: press{&g.edition}}
	// Hours pass quickly if little happens in them by itself.
	config.Linger, config.Resync, config.LeaseTTL, config.Report = 10*time.Minute, often, time.Hour, 24*time.Hour
	config.CacheIdle, config.VerifyEvery = unused, 2*unused
	cloud, err := shakenfist.New(config)
	require.NoError(g.t, err)
	g.cloud, g.ctx = cloud, ctx
	stop := cloud.Start(ctx)
	g.stop = func() error { defer cancel(); return stop() }
	require.NoError(g.t, cloud.Ready(ctx))
}

// reboot starts another process if this one died.
func (g *garden) reboot() {
	g.t.Helper()
	if !g.mortal.isDead() {
		return
	}
	_ = g.stop() // how it ended is known
	g.tally.Crashes++
	g.boot()
}

// operation does one thing at random.
func (g *garden) operation() {
	g.t.Helper()
	all := g.operations()
	total := 0
	for _, o := range all {
		total += o.weight
	}
	at := g.random.IntN(total)
	for _, o := range all {
		if at -= o.weight; at >= 0 {
			continue
		}
		g.tally.Operations++
		process := g.mortal
		err := o.do()
		switch {
		case process.isDead():
		case err == nil:
			g.tally.Done[o.name]++
		case errors.Is(err, errNothing) || expected(err):
			g.tally.Refused[o.name]++
		default:
			require.NoError(g.t, err, o.name)
		}
		g.reboot()
		return
	}
}

// errNothing says that there is nothing to do this to.
var errNothing = errors.New("nothing is there for that")

// expected reports whether an error says that what was asked for is not possible as things are.
func expected(err error) bool {
	return errors.Is(err, fault.NotFound) || errors.Is(err, fault.NotReady) || errors.Is(err, fault.Conflict) || errors.Is(err, fault.Invalid)
}

// disk returns a disk image. There are not many, so that the same one comes again.
func (g *garden) disk() []byte { return diskOf(g.random.IntN(1 << 10)) }

// diskOf returns one of the disk images. Some are large enough for their bootable form to be kept.
func diskOf(seed int) []byte {
	const different, sector = 48, 512
	seed %= different
	size := 2 * sector
	if seed%12 == 0 {
		size = blob.DefaultKeepFrom
	}
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b[sector:], uint64(seed)) //nolint:gosec // not negative
	b[510], b[511] = 0x55, 0xaa
	return b
}

func sumOf(b []byte) string {
	sum := sha512.Sum512(b)
	return hex.EncodeToString(sum[:])
}

// name returns one of a few names, so that the same one is meant again.
func (g *garden) name(kind string) string { return fmt.Sprintf("%s-%d", kind, g.random.IntN(6)) }

// artifact returns one of the artifacts at random.
func (g *garden) artifact() (artifact.Artifact, bool) {
	all := g.cloud.Artifacts.List(g.ctx, system)
	if len(all) == 0 {
		return artifact.Artifact{}, false
	}
	return all[g.random.IntN(len(all))], true
}

// changed notes what an artifact has after a change that was answered, or, if the process died over it, that it has either
// that or what it had.
func (g *garden) changed(id string, want known, err error) {
	g.t.Helper()
	if err != nil && !g.mortal.isDead() {
		return
	}
	if err == nil {
		g.known[id] = &want
		return
	}
	before := g.known[id]
	g.reboot()
	has := g.has(id)
	if has == nil {
		require.True(g.t, before == nil || before.open || len(want.versions) == 0, "artifact %s is gone", id)
		delete(g.known, id)
		return
	}
	if before != nil && !before.open && !want.open {
		ok := slices.Equal(has.versions, before.versions) || slices.Equal(has.versions, want.versions)
		require.True(g.t, ok, "artifact %s has %v, neither what it had, %v, nor what was wanted, %v", id, has.versions, before.versions, want.versions)
	}
	has.open = want.open || before != nil && before.open
	g.known[id] = has
}

// has returns what an artifact has; nil if it is gone.
func (g *garden) has(id string) *known {
	g.t.Helper()
	a, err := g.cloud.Artifacts.Get(g.ctx, id)
	if err != nil || a.State == artifact.Deleted {
		return nil
	}
	k := known{max: a.MaxVersions, versions: []string{}}
	for _, v := range a.Versions {
		b, err := g.cloud.Blobs.Get(g.ctx, v.Blob)
		require.NoError(g.t, err, "version %d of artifact %s", v.Index, id)
		k.versions = append(k.versions, b.SHA512)
	}
	return &k
}

// with is what an artifact that had was has after content was added; was is nil for a new one.
func with(was *known, sum string) known {
	if was == nil {
		return known{versions: []string{sum}, max: artifact.DefaultMaxVersions}
	}
	now := known{max: was.max, open: was.open, versions: slices.Clone(was.versions)}
	if n := len(now.versions); n == 0 || now.versions[n-1] != sum {
		now.versions = append(now.versions, sum)
	}
	now.versions = now.versions[max(0, len(now.versions)-now.max):]
	return now
}
