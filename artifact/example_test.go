package artifact_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// An image is fetched from a URL, and is there as version 1 of an artifact.
func Example() {
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(disk(100, 1))
	}))
	defer source.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder

	s, log := memstore.New(), slog.New(slog.DiscardHandler)
	v, events := view.New(s, log), event.NewRecorder(s, "node-1")
	namespaces := namespace.New(v, events, []byte("secret"), 0)
	blobs := blob.New(blob.Deps{View: v, Events: events, Driver: simhv.New(simhv.Options{}), Dir: dir, Node: "node-1"})
	artifacts := artifact.New(artifact.Deps{
		View: v, Events: events, Blobs: blobs, Namespaces: namespaces, Metadata: metadata.New(v, events), Node: "node-1",
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, run := range []func(context.Context){v.Run, blobs.Run, artifacts.Run} {
		running.Go(func() { run(ctx) })
	}

	if _, err := namespaces.Create(ctx, "tenant", "", ""); err != nil {
		fmt.Println(err)
		return
	}
	a, err := artifacts.Cache(ctx, artifact.Request{URL: source.URL + "/my.img", Namespace: "tenant"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Name, a.State)
	err = v.Await(ctx, func() bool {
		a, err = artifacts.Get(ctx, a.ID)
		return err != nil || a.State != artifact.Initial
	})
	newest, _ := a.Newest()
	fmt.Println(a.Name, a.State, newest.Index, err)
	// Output:
	// my.img initial
	// my.img created 1 <nil>
}
