package main

import (
	"context"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/simulation"
)

// runVisit has another node join the cloud, and leave it as a daemon does that is stopped.
func runVisit(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	c := simulation.Config()
	c.State, c.Node, c.Dir, c.HashCost = w.parts.Store, args[0], ts.MkAbs(args[0]), bcrypt.MinCost
	cloud, err := shakenfist.New(c)
	ts.Check(err)
	stop := cloud.Start(context.Background())
	err = cloud.Ready(context.Background())
	ts.Check(stop())
	ts.Check(err)
}
