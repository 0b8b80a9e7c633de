package client_test

import (
	"context"
	"fmt"
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
