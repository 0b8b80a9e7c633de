package cloudtest

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store"
)

// Times of a world in a bubble: how long what was deleted can be read, between looks at everything, and until events move to files.
const (
	linger = time.Hour
	resync = 5 * time.Minute
	delay  = 10 * time.Minute // of events, in the store
)

// newBubble returns a fresh world that has no sockets, so that its time is that of the testing/synctest bubble it is made in.
func newBubble(t testing.TB, node string) *Simulated {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sf-") // where simulated disks belong
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return &Simulated{Parts: simulation.New(), dir: dir, change: func(c *shakenfist.Config) {
		c.Node, c.Linger, c.Resync, c.EventDelay = node, linger, resync, delay
		c.HTTPClient = &http.Client{Transport: library{}}
	}}
}

// newAbandoned is newBubble of node n1, with another node that has left. It had a network, an instance and an image, and no
// process will ever speak for it again.
func newAbandoned(t testing.TB) *Simulated {
	t.Helper()
	old, s := newBubble(t, "n2"), newBubble(t, "n1")
	old.Parts.Store = s.Parts.Store
	p := old.Boot(t.Context(), t, Point{})
	defer p.Stop()
	_, err := Up(t.Context(), p.Client, old.Image())
	require.NoError(t, err)
	return s
}

// bubbleImages is where a world in a bubble has its images from.
const bubbleImages = "http://images.invalid"

// library answers for a server of images, every one of its own content.
type library struct{}

func (library) RoundTrip(r *http.Request) (*http.Response, error) {
	disk := make([]byte, 1<<16)
	disk[510], disk[511] = 0x55, 0xaa
	copy(disk[1024:], r.URL.Path)
	w := httptest.NewRecorder()
	_, _ = w.Write(disk)
	a := w.Result()
	a.Request = r
	return a, nil
}

// tenant is whoever lives the life: an operator and a tenant, each of whom talks to the process there is now.
type tenant struct {
	world    *Simulated
	process  *Process
	pristine map[string]bool // the keys in the store of a world in which nothing happened

	known map[event.Object]bool // of which something was noted

	own   *client.Client // what guild returned, for the process asked
	asked *Process
}

// guild is the tenant's client, with the key it has in the end.
func (a *tenant) guild() *client.Client {
	if a.asked != a.process {
		a.own, a.asked = a.process.As("guild", newSecret), a.process
	}
	return a.own
}

// admin is the operator's client.
func (a *tenant) admin() *client.Client { return a.process.Client }

const oldSecret, newSecret = "the first secret", "the second secret"

// act is something somebody asks for.
type act struct {
	name   string
	do     func(ctx context.Context, a *tenant) error
	look   func(ctx context.Context, a *tenant) (string, error) // what the act changes, in a form that is easy to compare
	wanted string                                               // what look says afterwards
}

// left tells what the store has that it would not have if nothing had ever happened, and what the host has.
func (a *tenant) left(ctx context.Context, t testing.TB) []string {
	t.Helper()
	left := a.world.Leftovers(ctx, t)
	for key := range keysOf(ctx, t, a.world.Parts.Store) {
		about, isEvent := noted(key)
		switch {
		case a.pristine[key], isEvent && lives(about):
		case key == "o/capacity/n1": // Leftovers looked at it
		default:
			left = append(left, "key "+key)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

// remembered lists the objects that are gone and have events all the same.
func (a *tenant) remembered(ctx context.Context, t testing.TB) []event.Object {
	t.Helper()
	var all []event.Object
	for about := range a.known {
		events, err := a.process.Events.List(ctx, about, "", -1)
		require.NoError(t, err)
		if len(events) > 0 && !lives(about) && about.Kind != "upload" { // whose events go when they are old
			all = append(all, about)
		}
	}
	return all
}

// meet notes of what there are events. They are in the store for a while, so meet must be called often.
func (a *tenant) meet(ctx context.Context, t testing.TB) {
	t.Helper()
	for key := range keysOf(ctx, t, a.world.Parts.Store) {
		if about, ok := noted(key); ok {
			a.known[about] = true
		}
	}
}

// noted returns what an event is about, by its key.
func noted(key string) (about event.Object, ok bool) {
	part := strings.Split(key, "/")
	if len(part) < 4 || part[0] != "e" {
		return about, false
	}
	return event.Object{Kind: part[1], ID: part[2]}, true
}

// lives tells what is still there when all is over: the operator's namespace and the node.
func lives(about event.Object) bool {
	return about == event.Object{Kind: "namespace", ID: "system"} || about == event.Object{Kind: "node", ID: "n1"}
}

func keysOf(ctx context.Context, t testing.TB, s store.Store) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for after := ""; ; {
		page, err := s.List(ctx, "", after, store.MaxPage)
		require.NoError(t, err)
		for _, e := range page.Entries {
			keys[e.Key], after = true, e.Key
		}
		if !page.More {
			return keys
		}
	}
}

// named lists things as "name state", in order.
func named[T any](all []T, err error, tell func(T) string) (string, error) {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = tell(one)
	}
	slices.SortFunc(texts, cmp.Compare[string])
	return strings.Join(texts, ", "), err
}
