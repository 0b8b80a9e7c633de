package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// tenancy is what happens to a tenant in its life, in order.
func tenancy() []act {
	return slices.Concat(admission(), belongings(), notes(), departure(), end())
}

// admission makes the namespace and changes what stands in its record.
func admission() []act {
	return []act{
		{
			name: "create namespace", look: keys, wanted: "first; old secret",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().CreateNamespace(ctx, api.CreateNamespace{Namespace: "guild", KeyName: "first", Key: oldSecret})
				return err
			},
		},
		{
			name: "change key", look: keys, wanted: "first; new secret",
			do: func(ctx context.Context, a *tenant) error {
				k := api.AddKey{KeyName: "first", Key: newSecret}
				err := a.process.As("guild", oldSecret).UpdateKey(ctx, "guild", k)
				if errors.Is(err, fault.Unauthorized) { // so it was changed
					_, err = a.guild().ListKeys(ctx, "guild")
				}
				return err
			},
		},
		{
			name: "add key", look: keys, wanted: "first deploy; new secret",
			do: func(ctx context.Context, a *tenant) error {
				return a.guild().AddKey(ctx, "guild", api.AddKey{KeyName: "deploy", Key: "another secret"})
			},
		},
		{
			name: "delete key", look: keys, wanted: "first; new secret",
			do: func(ctx context.Context, a *tenant) error { return a.guild().DeleteKey(ctx, "guild", "deploy") },
		},
		{
			name: "trust", look: trusts, wanted: "friends system",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.guild().AddTrust(ctx, "guild", "friends")
				return err
			},
		},
		{
			name: "trust another", look: trusts, wanted: "friends partners system",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.guild().AddTrust(ctx, "guild", "partners")
				return err
			},
		},
		{
			name: "distrust", look: trusts, wanted: "partners system",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.guild().RemoveTrust(ctx, "guild", "friends")
				return err
			},
		},
	}
}

// keys names the keys of the namespace, and the secret that lets its tenant in.
func keys(ctx context.Context, a *tenant) (string, error) {
	names, err := a.admin().ListKeys(ctx, "guild")
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	slices.Sort(names)
	slices.Reverse(names) // "first" comes first
	var in []string
	for _, secret := range []struct{ word, value string }{{"old secret", oldSecret}, {"new secret", newSecret}} {
		_, e := a.process.As("guild", secret.value).ListKeys(ctx, "guild")
		switch {
		case e == nil:
			in = append(in, secret.word)
		case !errors.Is(e, fault.Unauthorized):
			err = errors.Join(err, e)
		}
	}
	return strings.Join(names, " ") + "; " + strings.Join(in, ", "), err
}

func trusts(ctx context.Context, a *tenant) (string, error) {
	n, err := a.admin().GetNamespace(ctx, "guild")
	return strings.Join(n.Trust.Full, " "), err
}

// belongings makes two of everything a tenant has.
func belongings() []act {
	var all []act
	for i, name := range []string{"dmz", "lan"} {
		all = append(all, act{
			name: "create network " + name, look: networks, wanted: []string{"dmz created", "dmz created, lan created"}[i],
			do: func(ctx context.Context, a *tenant) error {
				return a.createNetwork(ctx, name, fmt.Sprintf("10.7%d.0.0/24", i))
			},
		})
	}
	for i, name := range []string{"disk1", "disk2"} {
		all = append(all, act{
			name: "create artifact " + name, look: artifacts, wanted: []string{"disk1 created", "disk1 created, disk2 created"}[i],
			do: func(ctx context.Context, a *tenant) error { return a.createArtifact(ctx, name) },
		})
	}
	for i, name := range []string{"web1", "web2"} {
		all = append(all, act{
			name: "create instance " + name, look: instances, wanted: []string{"web1 created", "web1 created, web2 created"}[i],
			do: func(ctx context.Context, a *tenant) error {
				return a.createInstance(ctx, name, []string{bubbleImages + "/disk1", ""}[i], []string{"lan", "dmz"}[i])
			},
		})
	}
	return all
}

// What is created and may have been before is asked for only if it is not there: an answer that was cut off said nothing.

func (a *tenant) createNetwork(ctx context.Context, name, netblock string) error {
	there, err := networks(ctx, a)
	if err != nil || strings.Contains(there, name) {
		return err
	}
	_, err = a.guild().CreateNetwork(ctx, api.CreateNetwork{Name: &name, Netblock: netblock})
	return err
}

func (a *tenant) createArtifact(ctx context.Context, name string) error {
	_, err := a.guild().CreateArtifact(ctx, api.CreateArtifact{URL: bubbleImages + "/" + name}) // one that is there is used
	return err
}

func (a *tenant) createInstance(ctx context.Context, name, image, network string) error {
	there, err := instances(ctx, a)
	if err != nil || strings.Contains(there, name) {
		return err
	}
	_, err = a.guild().CreateInstance(ctx, Tiny(name, image, network))
	return err
}

func networks(ctx context.Context, a *tenant) (string, error) {
	all, err := a.guild().ListNetworks(ctx, false)
	return named(all, err, func(n api.Network) string { return n.Name + " " + n.State })
}

func artifacts(ctx context.Context, a *tenant) (string, error) {
	all, err := a.guild().ListArtifacts(ctx, "")
	return named(all, err, func(f api.Artifact) string { return strings.TrimPrefix(f.SourceURL, bubbleImages+"/") + " " + f.State })
}

func instances(ctx context.Context, a *tenant) (string, error) {
	all, err := a.guild().ListInstances(ctx, false)
	return named(all, err, func(i api.Instance) string { return i.Name + " " + i.State })
}
