package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
)

// Any cloud can be served, by any HTTP server.
func Example() {
	ctx := context.Background()
	cloud, err := shakenfist.New(simulation.Config())
	if err != nil {
		panic(err)
	}
	stop := cloud.Start(ctx)
	if err := cloud.Ready(ctx); err != nil {
		panic(err)
	}
	front := httptest.NewServer(server.New(cloud, server.Options{}))
	answer, err := http.Get(front.URL + "/instances")
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(err)
	}
	fmt.Print(answer.StatusCode, " ", string(body))
	_ = answer.Body.Close()
	front.Close()
	fmt.Println(stop())
	// Output:
	// 401 {"error":"Missing Authorization Header","status":401}
	// <nil>
}
