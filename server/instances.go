package server

import (
	"encoding/json"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
)

// instanceRoutes are the routes of instances.
func (s *server) instanceRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathInstances, who: anybody, handle: s.listInstances, args: listArgs,
			summary: "list instances", out: api.List[api.Instance]{},
		},
		{
			method: http.MethodPost, pattern: api.PathInstances, who: anybody, handle: s.createInstance, args: createInstanceArgs,
			summary: "create an instance, or say where it would go", out: either{api.Instance{}, api.DryRun{}},
			errs: []int{http.StatusNotFound, http.StatusNotAcceptable, http.StatusConflict, http.StatusInsufficientStorage},
		},
		{
			method: http.MethodGet, pattern: api.PathInstance, who: owner, handle: s.onInstance(s.showInstance), args: namespaceArgs,
			summary: "show an instance", out: api.Instance{},
		},
		{
			method: http.MethodDelete, pattern: api.PathInstance, who: owner, handle: s.onInstance(s.deleteInstance), args: namespaceArgs,
			summary: "delete an instance", out: api.Instance{}, errs: []int{http.StatusConflict},
		},
		{
			method: http.MethodGet, pattern: api.PathInstanceEvents, who: owner, handle: s.onInstance(s.instanceEvents), args: eventArgs,
			summary: "list what happened to an instance", out: api.List[api.Event]{},
		},
		{
			method: http.MethodGet, pattern: api.PathInstanceInterfaces, who: owner, handle: s.onInstance(s.instanceInterfaces),
			summary: "list the interfaces of an instance, in order", out: api.List[api.Interface]{},
		},
		{
			method: http.MethodGet, pattern: api.PathInstanceConsole, who: owner, handle: s.onInstance(s.instanceConsole), args: consoleArgs,
			summary: "read what the guest wrote to its serial console", out: media("application/octet-stream"),
		},
		{
			method: http.MethodPost, pattern: api.PathInstancePowerOn, who: owner, handle: s.onInstance(s.powerOn),
			summary: "power an instance on", errs: []int{http.StatusNotAcceptable, http.StatusConflict},
		},
		{
			method: http.MethodPost, pattern: api.PathInstancePowerOff, who: owner, handle: s.onInstance(s.powerOff),
			summary: "power an instance off at once", errs: []int{http.StatusNotAcceptable, http.StatusConflict},
		},
	}
}

var consoleArgs = []arg{{name: "length", kind: argInt, doc: "bytes from the end; absent or 0: 10240, -1: all"}}

// onInstance finds the instance in the path, by UUID or name, if the caller owns it.
func (s *server) onInstance(f func(*call, instance.Instance) (any, error)) handler {
	return func(c *call) (any, error) {
		i, err := s.cloud.Instances.Find(c.Context(), c.scope(), c.PathValue("ref"))
		if err != nil {
			return nil, err
		}
		if err := c.mustBeIn("instance", i.Namespace); err != nil {
			return nil, err
		}
		return f(c, i)
	}
}

func (s *server) listInstances(c *call) (any, error) {
	what := listing{namespace: c.owned(), all: c.args.flag("all", false), old: s.oldGoClient(c)}
	body, err := s.lists.do(c.Context(), what, func() []byte {
		instances := s.cloud.Instances.List(c.Context(), instance.Filter{Namespace: what.namespace, All: what.all})
		if what.old {
			return encodeEach(len(instances), func(n int) any { return s.instanceFor(c, instances[n]) })
		}
		var v api.Instance // one for all: there may be thousands
		return encodeEach(len(instances), func(n int) any {
			v = s.instanceView(c, instances[n])
			return &v
		})
	})
	return raw{contentType: "application/json", body: body}, err
}

func (s *server) showInstance(c *call, i instance.Instance) (any, error) {
	return s.instanceFor(c, i), nil
}

func (s *server) deleteInstance(c *call, i instance.Instance) (any, error) {
	if i.State == instance.Deleted {
		return nil, fault.New("server.deleteInstance", fault.NotFound, i.ID, "instance not found: it is deleted already")
	}
	i, err := s.cloud.Instances.Delete(c.Context(), i.ID)
	if err != nil {
		return nil, err
	}
	return s.instanceFor(c, i), nil
}

func (s *server) instanceEvents(c *call, i instance.Instance) (any, error) {
	return s.events(c, "instance", i.ID)
}

func (s *server) instanceInterfaces(c *call, i instance.Instance) (any, error) {
	return s.interfaceViews(s.cloud.Networks.InterfacesOf(c.Context(), i.ID)), nil
}

func (s *server) instanceConsole(c *call, i instance.Instance) (any, error) {
	length := c.args.integer("length", 0)
	if length < -1 {
		return nil, invalid("length is %d; use a number of bytes, or -1 for everything", length)
	}
	log, err := s.cloud.Instances.OpenConsole(c.Context(), i.ID, int64(length))
	if err != nil {
		return nil, err
	}
	return stream{contentType: "application/octet-stream", size: log.Size(), body: log}, nil
}

func (s *server) powerOn(c *call, i instance.Instance) (any, error) {
	if err := mustBeActive(i); err != nil {
		return nil, err
	}
	return nil, s.cloud.Instances.PowerOn(c.Context(), i.ID)
}

func (s *server) powerOff(c *call, i instance.Instance) (any, error) {
	if err := mustBeActive(i); err != nil {
		return nil, err
	}
	return nil, s.cloud.Instances.PowerOff(c.Context(), i.ID)
}

// mustBeActive fails with fault.NotReady while an instance is being built, which clients wait for, and with
// fault.Conflict if it never will be.
func mustBeActive(i instance.Instance) error {
	kind := fault.NotReady
	switch i.State {
	case instance.Created:
		return nil
	case instance.Initial, instance.Creating:
	case instance.DeleteWait, instance.Deleted, instance.Error:
		kind = fault.Conflict
	}
	return fault.New("server.mustBeActive", kind, i.ID, "instance %s is not ready (%s)", i.ID, i.State)
}

// noAgent is the state of an agent that was never heard of. It is never null: clients look at its beginning.
const noAgent = "not ready (no contact)"

// instanceView shows an instance.
func (s *server) instanceView(c *call, i instance.Instance) api.Instance {
	v := api.Instance{
		UUID: i.ID, Name: i.Name, Namespace: i.Namespace, Version: api.InstanceVersion,
		State: string(i.State), PowerState: i.Power, Metadata: i.Metadata, Node: optional(i.Node),
		RequestedPlacement: i.PlacedOn, CPUs: i.CPUs, Memory: i.MemoryMiB,
		DiskSpec: diskSpecs(i), Disks: disks(i), Interfaces: s.interfaceViews(s.cloud.Networks.InterfacesOf(c.Context(), i.ID)),
		Video: api.Video{Model: i.Video.Model, Memory: i.Video.MemoryKiB, VDI: i.Video.VDI},
		UEFI:  i.UEFI, SecureBoot: i.SecureBoot, NVRAMTemplate: optional(i.NVRAM), MachineType: i.Machine, ConfigDrive: i.ConfigDrive, SideChannels: i.SideChannels,
		SSHKey: optional(i.SSHKey), UserData: optional(i.UserData), AgentState: noAgent,
	}
	if i.State == instance.Error {
		v.ErrorMessage = optional(i.Error)
	}
	return v
}

// oldInstance is the view for the old Go client, which reads metadata as text.
type oldInstance struct {
	api.Instance
	Metadata string `json:"metadata"`
}

func (s *server) instanceFor(c *call, i instance.Instance) any {
	v := s.instanceView(c, i)
	if !s.oldGoClient(c) {
		return v
	}
	text, err := json.Marshal(v.Metadata)
	if err != nil {
		panic("server: metadata does not marshal: " + err.Error()) // it came out of JSON
	}
	return oldInstance{Instance: v, Metadata: string(text)}
}

// diskSpecs shows the disks as they were asked for, with what their bases were resolved to.
func diskSpecs(i instance.Instance) api.List[api.DiskSpec] {
	specs := make(api.List[api.DiskSpec], len(i.Disks))
	for n, d := range i.Disks {
		specs[n] = api.DiskSpec{Base: optional(d.Base), Bus: optional(d.Bus), Size: positive(d.SizeGiB), Type: optional(d.Type)}
		if d.Base == "" {
			specs[n].DiskBase = &api.Null{}
		}
		specs[n].BlobUUID = i.Images[n]
	}
	return specs
}

func disks(i instance.Instance) api.List[api.Disk] {
	views := make(api.List[api.Disk], len(i.Resolved))
	for n, d := range i.Resolved {
		views[n] = api.Disk{
			Device: d.Device, Bus: d.Bus, Size: positive(d.SizeGiB), BlobUUID: optional(d.Blob), SnapshotIgnores: d.NoSnapshot,
		}
	}
	return views
}

// positive returns nil for 0, as views show a size that was not given.
func positive(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
