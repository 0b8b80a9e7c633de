package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/shakenfist/shakenfist/api"
)

func (m *imitation) instanceRoutes() {
	on := func(route string, f func(i *api.Instance, body []byte) any) {
		m.on(route, func(r *http.Request, body []byte) any {
			for n := range m.instances {
				i := &m.instances[n]
				if ref := r.PathValue("ref"); i.UUID == ref || (i.Name == ref && i.State != "deleted") {
					return f(i, body)
				}
			}
			return refusal{404, "instance not found"}
		})
	}
	m.on("GET "+api.PathInstances, func(_ *http.Request, body []byte) any {
		var q api.ListQuery
		_ = json.Unmarshal(body, &q)
		return slices.DeleteFunc(slices.Clone(m.instances), func(i api.Instance) bool { return i.State == "deleted" && !q.All })
	})
	m.on("POST "+api.PathInstances, m.createInstance)
	on("GET "+api.PathInstance, func(i *api.Instance, _ []byte) any { return m.look(i) })
	on("DELETE "+api.PathInstance, func(i *api.Instance, _ []byte) any {
		answer := *i
		answer.State = "delete-wait"
		i.State, i.PowerState, i.Interfaces = "deleted", "off", nil
		return answer
	})
	on("GET "+api.PathInstanceEvents, func(*api.Instance, []byte) any { return events() })
	on("GET "+api.PathInstanceInterfaces, func(i *api.Instance, _ []byte) any { return i.Interfaces })
	on("POST "+api.PathInstancePowerOff, func(i *api.Instance, _ []byte) any { return power(i, "off") })
	on("POST "+api.PathInstancePowerOn, func(i *api.Instance, _ []byte) any { return power(i, "on") })
	m.mux.HandleFunc("GET "+api.PathInstanceConsole, func(w http.ResponseWriter, r *http.Request) {
		var q api.ConsoleQuery
		_ = json.NewDecoder(r.Body).Decode(&q)
		_, _ = fmt.Fprintf(w, "last %d bytes\nlogin: ", q.Length)
	})
	m.on("GET "+api.PathInterface, func(r *http.Request, _ []byte) any {
		for _, i := range m.instances {
			for _, f := range i.Interfaces {
				if f.UUID == r.PathValue("uuid") {
					return f
				}
			}
		}
		return refusal{404, "interface not found"}
	})
}

// power changes the power state; off when it is off already is fine, on when it is on is not.
func power(i *api.Instance, state string) any {
	if i.PowerState == state && state == "on" {
		return refusal{409, "instance " + i.Name + " is running already"}
	}
	i.PowerState = state
	return nil
}

// look returns an instance, and moves it on.
func (m *imitation) look(i *api.Instance) api.Instance {
	m.looks[i.UUID]++
	switch {
	case i.State != "initial" && i.State != "creating":
	case i.Name == "broken":
		i.State, i.ErrorMessage = "error", new("cannot fetch debian:12: the server answered 404")
	case i.Name == "slow" && m.looks[i.UUID] < 2:
		i.State = "creating"
	default:
		i.State, i.PowerState = "created", "on"
	}
	return *i
}

func (m *imitation) createInstance(_ *http.Request, body []byte) any {
	var c api.CreateInstance
	_ = json.Unmarshal(body, &c)
	if c.CPUs > 64 {
		return refusal{507, "no node has room: needs 65 vCPUs, node-1 has 64"}
	}
	i := api.Instance{
		UUID: m.uuid(), Name: c.Name, Namespace: "system", CPUs: c.CPUs, Memory: c.Memory, State: "initial", PowerState: "initial",
		Node: new("node-1"), DiskSpec: c.Disk, Video: *c.Video, UEFI: c.UEFI, SecureBoot: c.SecureBoot, SSHKey: c.SSHKey,
		UserData: c.UserData, SideChannels: c.SideChannels, Metadata: c.Metadata, AgentState: "not ready (no contact)",
		ConfigDrive: *c.ConfigDrive, MachineType: "pc", Version: 14, ConsolePort: new(30049),
	}
	if c.Namespace != nil {
		i.Namespace = *c.Namespace
	}
	for n := range i.DiskSpec {
		if i.DiskSpec[n].Type == nil {
			i.DiskSpec[n].Type = new("disk")
		}
	}
	for n, s := range c.Network {
		f := api.Interface{
			UUID: m.uuid(), NetworkUUID: s.Network, InstanceUUID: i.UUID, Order: n, MAC: fmt.Sprintf("02:00:00:00:00:%02x", n),
			Model: "virtio", State: "created", Version: 3,
		}
		for _, network := range m.networks {
			if network.Name == s.Network {
				f.NetworkUUID = network.UUID
			}
		}
		if s.Address != "none" {
			f.IPv4 = new(fmt.Sprintf("10.0.0.%d", n+5))
		}
		if s.Float {
			f.Floating = new(fmt.Sprintf("192.168.10.%d", n+70))
		}
		i.Interfaces = append(i.Interfaces, f)
	}
	m.instances = append(m.instances, i)
	return i
}

func (m *imitation) artifactRoutes() {
	on := func(route string, f func(v *api.Artifact) any) {
		m.on(route, func(r *http.Request, _ []byte) any {
			for n := range m.artifacts {
				if m.artifacts[n].UUID == r.PathValue("ref") {
					return f(&m.artifacts[n])
				}
			}
			return refusal{404, "artifact not found"}
		})
	}
	m.on("GET "+api.PathArtifacts, func(*http.Request, []byte) any { return api.List[api.Artifact](m.artifacts) })
	m.on("POST "+api.PathArtifacts, func(_ *http.Request, body []byte) any {
		var c api.CreateArtifact
		_ = json.Unmarshal(body, &c)
		blob := m.uuid()
		m.artifacts = append(m.artifacts, api.Artifact{
			UUID: m.uuid(), Type: "image", SourceURL: c.URL, Namespace: "system", Shared: c.Shared, MaxVersions: 3, Index: 12, BlobUUID: blob,
			Blobs: api.ByIndex[api.ArtifactBlob]{
				12: {UUID: blob, Size: 308406784, ReferenceCount: 1, Instances: []string{"i1", "i2"}}, 9: {UUID: "old", Size: 1 << 20},
			},
			State: "created", Metadata: api.Object{"os": "debian"}, Version: 6,
		})
		return m.artifacts[len(m.artifacts)-1]
	})
	on("GET "+api.PathArtifact, func(v *api.Artifact) any { return *v })
	on("DELETE "+api.PathArtifact, func(v *api.Artifact) any {
		if v.State == "deleted" {
			return nil
		}
		v.State = "deleted"
		return *v
	})
	on("GET "+api.PathArtifactEvents, func(*api.Artifact) any { return events() })
	on("GET "+api.PathArtifactVersions, func(v *api.Artifact) any {
		return []api.IndexedBlob{{Blob: blob(v.BlobUUID), Index: 12}}
	})
	m.on("GET "+api.PathBlobs, func(*http.Request, []byte) any {
		b := blob("b1")
		b.Instances = nil
		return []api.Blob{b, {UUID: "b2", State: "initial", Version: 6}}
	})
	m.on("GET "+api.PathBlob, func(r *http.Request, _ []byte) any { return blob(r.PathValue("uuid")) })
}

func blob(uuid string) api.Blob {
	return api.Blob{
		UUID: uuid, State: "created", Size: 3566573056, Modified: noon(), FetchedAt: noon(), Transcodes: api.Strings{"gunzip;qcow2": "t1"},
		Locations: []string{"node-2", "node-1"}, ReferenceCount: 26, SHA512: new("e83e"), Version: 6, Instances: []string{"i1"},
		ImageInfo: &api.ImageInfo{MIMEType: "application/octet-stream", FileFormat: "qcow2", VirtualSize: 32212254720},
	}
}

func (m *imitation) nodeRoutes() {
	nodes := []api.Node{
		{
			UUID: "node-1", Name: "node-1", IP: "192.168.21.51", State: "created", LastSeen: noon(), Release: "0.8.0", Version: 7,
			IsHypervisor: true, IsNetworkNode: true, IsEventLogNode: true, Metadata: api.Object{"rack": 7},
		},
		{UUID: "node-2", Name: "node-2", State: "missing", Release: "0.8.0", Version: 7},
	}
	m.on("GET "+api.PathNodes, func(*http.Request, []byte) any { return nodes })
	m.on("GET "+api.PathNode, func(r *http.Request, _ []byte) any {
		for _, n := range nodes {
			if n.Name == r.PathValue("node") {
				return n
			}
		}
		return refusal{404, "node not found"}
	})
	m.on("GET "+api.PathNodeEvents, func(*http.Request, []byte) any { return events() })
}
