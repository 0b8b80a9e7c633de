package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// audit is how often each blob is referred to, by UUID, as everything else in the cloud says.
type audit map[string]int

// countReferences counts the references to blobs: one for each version of an artifact, for each instance, however many of its disks
// have the blob, for each instance whose firmware began with it, and for each blob that depends on another or is made from it.
func countReferences(ctx context.Context, c *client.Client, blobs []api.Blob) (audit, error) {
	instances, err := c.ListInstances(ctx, false)
	if err != nil {
		return nil, err
	}
	artifacts, err := c.ListArtifacts(ctx, "")
	if err != nil {
		return nil, err
	}
	found := audit{}
	for _, i := range instances {
		for uuid := range blobsOf(i) {
			found[uuid]++
		}
	}
	for _, v := range artifacts {
		for _, b := range v.Blobs {
			found[b.UUID]++
		}
	}
	for _, b := range blobs {
		if b.DependsOn != nil {
			found[*b.DependsOn]++
		}
		for _, uuid := range b.Transcodes {
			found[uuid]++
		}
	}
	for _, i := range instances {
		if uuid := found.firmwareOf(i, artifacts, blobs); uuid != "" {
			found[uuid]++
		}
	}
	return found, nil
}

// firmwareOf returns the UUID of the blob that the firmware's variables of an instance began with; "" if none. A label may mean
// another blob by now: then it is that of its versions which lacks a reference.
func (found audit) firmwareOf(i api.Instance, artifacts []api.Artifact, blobs []api.Blob) string {
	template := strings.TrimPrefix(orNone(i.NVRAMTemplate), "sf://blob/")
	if name, ok := strings.CutPrefix(template, "label:"); ok {
		if !strings.Contains(name, "/") {
			name = i.Namespace + "/" + name
		}
		template = "sf://label/" + name
	}
	if !strings.HasPrefix(template, "sf://") {
		return template
	}
	for _, v := range artifacts {
		if v.SourceURL != template {
			continue
		}
		versions := map[string]bool{}
		for _, b := range v.Blobs {
			versions[b.UUID] = true
		}
		for _, b := range blobs {
			if versions[b.UUID] && b.ReferenceCount > found[b.UUID] {
				return b.UUID
			}
		}
		return v.BlobUUID
	}
	return ""
}

// blobsOf returns the UUIDs of the blobs that an instance's disks start from.
func blobsOf(i api.Instance) map[string]bool {
	uuids := map[string]bool{}
	for _, d := range i.DiskSpec {
		if d.BlobUUID != "" {
			uuids[d.BlobUUID] = true
		}
	}
	for _, d := range i.Disks {
		if d.BlobUUID != nil {
			uuids[*d.BlobUUID] = true
		}
	}
	return uuids
}

// references returns a blob's reference count for the list: with what the audit found beside it, marked if it differs. A
// nil audit found nothing out.
func (found audit) references(b api.Blob) string {
	if found == nil {
		return strconv.Itoa(b.ReferenceCount)
	}
	text := fmt.Sprintf("%d (audit %d)", b.ReferenceCount, found[b.UUID])
	if b.ReferenceCount != found[b.UUID] {
		text += " !!!"
	}
	return text
}

// auditedBlob is a blob and what the audit found.
type auditedBlob struct {
	api.Blob
	Found int `json:"audited_reference_count"`
}

// beside returns the blobs with what the audit found, for programs.
func (found audit) beside(blobs api.List[api.Blob]) any {
	if found == nil {
		return blobs
	}
	l := make(api.List[auditedBlob], len(blobs))
	for n, b := range blobs {
		l[n] = auditedBlob{b, found[b.UUID]}
	}
	return l
}
