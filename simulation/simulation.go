// Package simulation is a whole cloud in one process's memory: it puts the simulations of the three seams together. It
// needs no privileges and no other process, and its machines and networks behave as real ones do.
package simulation

import (
	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// Parts are the three seams of a simulated cloud, for tests that make them fail or look inside.
type Parts struct {
	Store      *memstore.Store
	Hypervisor *simhv.Driver
	Network    *simnet.Driver
}

// New returns fresh parts: an empty store, and a node with room for 1,000 instances whose guests are plugged into its
// networks.
func New() Parts {
	wires := simnet.New()
	return Parts{Store: memstore.New(), Network: wires, Hypervisor: simhv.New(simhv.Options{Switch: wires})}
}

// Config returns the configuration of a cloud made of these parts.
func (p Parts) Config() shakenfist.Config {
	return shakenfist.Config{State: p.Store, Hypervisor: p.Hypervisor, Network: p.Network}
}

// Config returns the configuration of a cloud made of fresh parts.
func Config() shakenfist.Config { return New().Config() }
