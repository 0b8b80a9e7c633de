package artifact_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/internal/view"
)

// TestWhateverHappensInWhateverOrder lets tenants, sources and the process do what they like, and looks at rest whether
// every referenced blob has its content, and no file lies there for nobody.
func TestWhateverHappensInWhateverOrder(t *testing.T) {
	t.Parallel()
	const seeds, moves = 16, 40
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &play{t: t, world: newWorld(t), random: rand.New(rand.NewPCG(seed, 0)), users: map[string]string{}}
				p.origin.has(disk(1, 0), yesterday())
				p.cloud = p.start(nil).withNamespaces()
				for range moves {
					p.move()
				}
				p.origin.has(disk(1, 99), yesterday())
				time.Sleep(10 * time.Minute)
				p.consistent()
				for user, b := range p.users {
					require.True(t, p.cloud.blobs.Held(b), "the blob that %s uses was lost", user)
				}
				p.end()
			})
		})
	}
}

// play is a random sequence of moves.
type play struct {
	*world
	t      *testing.T
	cloud  *cloud
	random *rand.Rand
	users  map[string]string // instances and the blob that each uses
	made   int
}

func (p *play) consistent() { p.cloud.consistent() }

func (p *play) move() {
	urls := []string{imageURL, "http://images.test/other.img"}
	switch p.random.IntN(9) {
	case 0, 1, 2:
		_, err := p.cloud.artifacts.Cache(p.cloud.ctx, artifact.Request{URL: urls[p.random.IntN(2)], Namespace: "tenant"})
		require.NoError(p.t, err)
	case 3:
		p.origin.has(disk(1, uint64(p.random.IntN(5))), yesterday().Add(time.Duration(p.random.IntN(60))*time.Minute))
	case 4:
		p.origin.does([]http.HandlerFunc{nil, http.NotFound, broken(disk(9, 1), 700), status(http.StatusBadGateway)}[p.random.IntN(4)])
	case 5:
		for _, a := range p.cloud.artifacts.List(p.cloud.ctx, "tenant") {
			_, err := p.cloud.artifacts.Delete(p.cloud.ctx, a.ID)
			require.NoError(p.t, err)
		}
	case 6:
		p.use()
	case 7:
		p.leave()
	case 8:
		p.cloud.stop()
		p.cloud = p.start(nil)
	}
	time.Sleep(time.Duration(p.random.IntN(4000)) * time.Millisecond)
}

// use has a new instance refer to a blob that is there.
func (p *play) use() {
	blobs := p.cloud.blobs.List(p.cloud.ctx)
	if len(blobs) == 0 {
		return
	}
	b := blobs[p.random.IntN(len(blobs))].ID
	p.made++
	user := fmt.Sprintf("instance-%d", p.made)
	tx := view.Txn{Name: "use"}
	if p.cloud.blobs.AddRef(&tx, b, blob.Owner{Kind: blob.Instance, ID: user}) != nil {
		return
	}
	if _, err := p.cloud.view.Commit(p.cloud.ctx, tx); err == nil {
		p.users[user] = b
	}
}

// leave ends an instance.
func (p *play) leave() {
	for user, b := range p.users {
		tx := view.Txn{Name: "leave"}
		p.cloud.blobs.DropRef(&tx, b, blob.Owner{Kind: blob.Instance, ID: user})
		_, err := p.cloud.view.Commit(p.cloud.ctx, tx)
		require.NoError(p.t, err)
		delete(p.users, user)
		return
	}
}

// end deletes everything, and looks whether nothing is left.
func (p *play) end() {
	for len(p.users) > 0 {
		p.leave()
	}
	for _, a := range p.cloud.artifacts.List(p.cloud.ctx, "tenant") {
		_, err := p.cloud.artifacts.Delete(p.cloud.ctx, a.ID)
		require.NoError(p.t, err)
	}
	time.Sleep(linger + 2*resync)
	require.Empty(p.t, p.files())
	require.Empty(p.t, p.keys())
}
