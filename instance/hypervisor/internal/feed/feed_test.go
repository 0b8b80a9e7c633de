package feed_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/feed"
)

func TestWhatIsSentAfterWatchIsCalledArrivesInOrder(t *testing.T) {
	var f feed.Feed
	seq := f.Watch(t.Context())
	for _, id := range []string{"a", "b", "c"} {
		f.Send(hypervisor.Event{ID: id})
	}
	got := ""
	for e, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		if got += e.ID; len(got) == 3 {
			break
		}
	}
	if got != "abc" {
		t.Errorf("got %q, want abc", got)
	}
}

func TestASlowWatcherIsToldToLookAtEverything(t *testing.T) {
	var f feed.Feed
	seq := f.Watch(t.Context())
	for range 2000 {
		f.Send(hypervisor.Event{ID: "a"})
	}
	for e, err := range seq {
		if err != nil || e.ID != "" {
			t.Errorf("first event is %+v, %v, want the empty one", e, err)
		}
		break
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f feed.Feed
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e, err := range f.Watch(ctx) {
				t.Errorf("got %+v, %v, want nothing", e, err)
			}
		}()
		synctest.Wait()
		cancel()
		<-done
		f.Send(hypervisor.Event{ID: "late"})
	})
}
