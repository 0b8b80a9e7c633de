package simnet

// BreakBridge deletes the bridge of the network with that VXLAN id by hand: nobody on this node reaches anybody in it
// until the next Ensure.
func (d *Driver) BreakBridge(vxlan int) { d.breakPart(vxlan, "bridge") }

// BreakMesh deletes the network's VXLAN link by hand: this node is cut off from the network on others until the next Ensure.
func (d *Driver) BreakMesh(vxlan int) { d.breakPart(vxlan, "mesh") }

// BreakGateway deletes the network's gateway by hand: no router and no DHCP until the next Ensure.
func (d *Driver) BreakGateway(vxlan int) { d.breakPart(vxlan, "gateway") }

// BreakDHCP kills the network's DHCP server: no leases until the next Ensure.
func (d *Driver) BreakDHCP(vxlan int) { d.breakPart(vxlan, "dhcp") }

// breakPart damages one part of a network; a network that is not there has no parts.
func (d *Driver) breakPart(vxlan int, part string) {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	if s, ok := d.networks[d.vxlans[vxlan]]; ok {
		s.broken[part] = true
	}
}

// Squat puts a link that is not ours where the network with that VXLAN id would have its own, so that Ensure of such a network
// fails with fault.Conflict. It does nothing if the network is there.
func (d *Driver) Squat(vxlan int) {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	if _, ok := d.vxlans[vxlan]; !ok {
		d.vxlans[vxlan] = ""
	}
}
