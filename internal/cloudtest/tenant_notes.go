package cloudtest

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// notable is a kind of object that has metadata.
type notable struct {
	kind  string
	who   func(*tenant) *client.Client // may write
	id    func(context.Context, *tenant) (string, error)
	get   func(c *client.Client, ctx context.Context, id string) (api.Object, error)
	set   func(c *client.Client, ctx context.Context, id, key string, value any) error
	unset func(c *client.Client, ctx context.Context, id, key string) error
}

type c = client.Client

// notables are all of them. Blobs and nodes are the operator's.
func notables() []notable {
	return []notable{
		{"artifact", (*tenant).guild, artifactID, (*c).ArtifactMetadata, (*c).SetArtifactMetadata, (*c).DeleteArtifactMetadata},
		{"blob", (*tenant).admin, blobID, (*c).BlobMetadata, (*c).SetBlobMetadata, (*c).DeleteBlobMetadata},
		{"instance", (*tenant).guild, always("web1"), (*c).InstanceMetadata, (*c).SetInstanceMetadata, (*c).DeleteInstanceMetadata},
		{"interface", (*tenant).guild, interfaceID, (*c).InterfaceMetadata, (*c).SetInterfaceMetadata, (*c).DeleteInterfaceMetadata},
		{"namespace", (*tenant).guild, always("guild"), (*c).NamespaceMetadata, (*c).SetNamespaceMetadata, (*c).DeleteNamespaceMetadata},
		{"network", (*tenant).guild, always("lan"), (*c).NetworkMetadata, (*c).SetNetworkMetadata, (*c).DeleteNetworkMetadata},
		{"node", (*tenant).admin, always("n2"), (*c).NodeMetadata, (*c).SetNodeMetadata, (*c).DeleteNodeMetadata},
	}
}

func always(id string) func(context.Context, *tenant) (string, error) {
	return func(context.Context, *tenant) (string, error) { return id, nil }
}

func artifactID(ctx context.Context, a *tenant) (string, error) {
	f, err := firstArtifact(ctx, a)
	return f.UUID, err
}

func blobID(ctx context.Context, a *tenant) (string, error) {
	f, err := firstArtifact(ctx, a)
	return f.BlobUUID, err
}

func firstArtifact(ctx context.Context, a *tenant) (api.Artifact, error) {
	all, err := a.guild().ListArtifacts(ctx, "")
	for _, f := range all {
		if f.SourceURL == bubbleImages+"/disk1" {
			return f, nil
		}
	}
	return api.Artifact{}, errors.Join(err, errors.New("disk1 is not there"))
}

func interfaceID(ctx context.Context, a *tenant) (string, error) {
	all, err := a.guild().InstanceInterfaces(ctx, "web1")
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", errors.New("web1 has not one interface")
	}
	return all[0].UUID, nil
}

// notes puts notes on everything that can have some, and takes one off again. The other goes with its object.
func notes() []act {
	var all []act
	for _, n := range notables() {
		all = append(all,
			act{"note on " + n.kind, n.put("colour", "red"), n.look, `{"colour":"red"}`},
			act{"change the note on " + n.kind, n.put("colour", "blue"), n.look, `{"colour":"blue"}`},
			act{"another note on " + n.kind, n.put("owner", "us"), n.look, `{"colour":"blue","owner":"us"}`},
			act{"forget a note on " + n.kind, n.forget, n.look, `{"owner":"us"}`},
		)
	}
	return all
}

func (n notable) put(key string, value any) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		id, err := n.id(ctx, a)
		if err != nil {
			return err
		}
		return n.set(n.who(a), ctx, id, key, value)
	}
}

func (n notable) forget(ctx context.Context, a *tenant) error {
	id, err := n.id(ctx, a)
	if err != nil {
		return err
	}
	return n.unset(n.who(a), ctx, id, "colour")
}

func (n notable) look(ctx context.Context, a *tenant) (string, error) {
	id, err := n.id(ctx, a)
	if err != nil {
		return "", err
	}
	values, err := n.get(n.who(a), ctx, id)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(values)
	return string(text), err
}
