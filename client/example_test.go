package client_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
)

// A network and an instance on it, made over HTTP in a cloud made of simulations.
func Example() {
	ctx := context.Background()
	url, stop := simulatedCloud(ctx)
	defer stop()

	c, err := client.New(client.Options{BaseURL: url, Namespace: "system", Key: "s3cret", Poll: 10 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	name := "lan"
	n, err := c.CreateNetwork(ctx, api.CreateNetwork{Name: &name, Netblock: "10.0.0.0/24"})
	if err != nil {
		panic(err)
	}
	if n, err = c.WaitNetwork(ctx, n.UUID, nil); err != nil {
		panic(err)
	}
	size := 8 // GiB
	i, err := c.CreateInstance(ctx, api.CreateInstance{
		Name: "web1", CPUs: 1, Memory: 1024,
		Disk:    []api.DiskSpec{{Size: &size}},
		Network: []api.NetworkSpec{{Network: "lan", Address: "10.0.0.9"}},
	})
	if err != nil {
		panic(err)
	}
	if i, err = c.WaitInstance(ctx, i.UUID, nil); err != nil {
		panic(err)
	}
	fmt.Println(n.Name, "is", n.State)
	fmt.Println(i.Name, "is", i.State, "at", *i.Interfaces[0].IPv4)
	// Output:
	// lan is created
	// web1 is created at 10.0.0.9
}

// Where would an instance go, and why nowhere else? Nothing is made.
func ExampleClient_DryRunInstance() {
	ctx := context.Background()
	c, stop := connected(ctx)
	defer stop()

	size := 8 // GiB
	d, err := c.DryRunInstance(ctx, api.CreateInstance{Name: "big1", CPUs: 4000, Memory: 1024, Disk: []api.DiskSpec{{Size: &size}}})
	if err != nil {
		panic(err)
	}
	fmt.Println("somewhere:", d.Node != nil)
	for _, v := range d.Verdicts {
		fmt.Println("fits:", v.Fits)
	}
	// Output:
	// somewhere: false
	// fits: false
}

// Metadata is what users note on objects. The tags of instances are also what affinity is about.
func ExampleClient_SetInstanceMetadata() {
	ctx := context.Background()
	c, stop := connected(ctx)
	defer stop()

	size := 8 // GiB
	i, err := c.CreateInstance(ctx, api.CreateInstance{Name: "web1", CPUs: 1, Memory: 1024, Disk: []api.DiskSpec{{Size: &size}}})
	if err != nil {
		panic(err)
	}
	if err := c.SetInstanceMetadata(ctx, i.UUID, "tags", []string{"web", "blue"}); err != nil {
		panic(err)
	}
	m, err := c.InstanceMetadata(ctx, i.UUID)
	if err != nil {
		panic(err)
	}
	fmt.Println(m["tags"])
	// Output:
	// [web blue]
}

// An image is fetched by the cloud, and its content downloaded from there.
func ExampleClient_DownloadBlob() {
	ctx := context.Background()
	c, stop := connected(ctx)
	defer stop()
	images := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<16))
	}))
	defer images.Close()

	v, err := c.CreateArtifact(ctx, api.CreateArtifact{URL: images.URL + "/blank.raw"})
	if err != nil {
		panic(err)
	}
	if v, err = c.WaitArtifact(ctx, v.UUID, nil); err != nil {
		panic(err)
	}
	var content bytes.Buffer // a file, more likely
	b, err := c.DownloadBlob(ctx, v.BlobUUID, &content, client.DownloadOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(content.Len() == int(b.Size), content.Len())
	// Output:
	// true 65536
}

// connected returns a client of a simulated cloud.
func connected(ctx context.Context) (c *client.Client, stop func()) {
	url, stop := simulatedCloud(ctx)
	c, err := client.New(client.Options{BaseURL: url, Namespace: "system", Key: "s3cret", Poll: 10 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	return c, stop
}

// simulatedCloud starts a cloud and its API, to be logged in to as system with the key s3cret.
func simulatedCloud(ctx context.Context) (url string, stop func()) {
	config := simulation.Config()
	config.HashCost = bcrypt.MinCost // a test need not make guessing keys expensive
	cloud, err := shakenfist.New(config)
	if err != nil {
		panic(err)
	}
	end := cloud.Start(ctx)
	front := httptest.NewServer(server.New(cloud, server.Options{}))
	if err := cloud.Ready(ctx); err != nil {
		panic(err)
	}
	if err := cloud.Namespaces.SetKey(ctx, "system", "deploy", "s3cret", false); err != nil {
		panic(err)
	}
	return front.URL, func() {
		front.Close()
		if err := end(); err != nil {
			panic(err)
		}
	}
}
