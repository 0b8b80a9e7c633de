package artifact_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// base resolves what must be there.
func (c *cloud) base(caller, text string) artifact.Base {
	c.t.Helper()
	ref, ok, err := c.artifacts.Resolve(c.ctx, caller, text)
	require.NoError(c.t, err, text)
	require.True(c.t, ok, text)
	return ref
}

func TestBasesOfEveryForm(t *testing.T) {
	inBubble(t, func(c *cloud) {
		const vm = "0c3f5a8e-6a4e-4d53-9a0b-2f2c8ed1a001"
		up, err := c.upload(disk(1, 1), named("disk one"))
		require.NoError(t, err)
		first := up.Versions[0].Blob
		up, err = c.upload(disk(1, 2), named("disk one"))
		require.NoError(t, err)
		newest := up.Versions[1].Blob
		l := c.label("tested", first)
		snapshot := c.snapshotOf(vm)

		for text, want := range map[string]artifact.Base{
			"label:tested":                                                     {Blob: first, Artifact: l.ID},
			"label:tenant/tested":                                              {Blob: first, Artifact: l.ID},
			"sf://label/tenant/tested":                                         {Blob: first, Artifact: l.ID},
			"sf://upload/tenant/disk one":                                      {Blob: newest, Artifact: up.ID},
			"sf://snapshot/" + snapshot.ID:                                     {Blob: snapshot.Versions[0].Blob, Artifact: snapshot.ID},
			"sf://snapshot/" + strings.ToUpper(l.ID):                           {Blob: first, Artifact: l.ID},
			"sf://instance/" + vm + "/vda":                                     {Blob: snapshot.Versions[0].Blob, Artifact: snapshot.ID},
			"sf://instance/" + strings.ReplaceAll(vm, "-", "") + "/vda":        {Blob: snapshot.Versions[0].Blob, Artifact: snapshot.ID},
			"sf://blob/" + first:                                               {Blob: first},
			"sf://blob/" + strings.ToUpper(strings.ReplaceAll(first, "-", "")): {Blob: first},
		} {
			require.Equal(t, want, c.base("tenant", text), text)
			if strings.HasPrefix(text, "sf://blob/") {
				require.Equal(t, want, c.base("other", text), "who knows the UUID may use it")
				continue
			}
			_, ok, err := c.artifacts.Resolve(c.ctx, "other", text)
			require.ErrorIs(t, err, fault.NotFound, text)
			require.Contains(t, fault.Text(err), text)
			require.True(t, ok)
		}
		for _, text := range []string{"", "debian:12", "https://a/b", "none", "SF://blob/x", "oci://a/b:c", "file:///etc/passwd"} {
			_, ok, err := c.artifacts.Resolve(c.ctx, "tenant", text)
			require.NoError(t, err, text)
			require.False(t, ok, text)
		}
		c.trust("tenant", "other")
		require.Equal(t, first, c.base("other", "label:tenant/tested").Blob)
	})
}

// snapshotOf returns an artifact with one copy of an instance's first disk.
func (c *cloud) snapshotOf(vm string) artifact.Artifact {
	c.t.Helper()
	tx := view.Txn{Name: "want snapshot"}
	id, err := c.artifacts.WantSnapshot(c.ctx, &tx, artifact.SnapshotOf{Instance: vm, Device: "vda", Namespace: "tenant"})
	require.NoError(c.t, err)
	_, err = c.view.Commit(c.ctx, tx)
	require.NoError(c.t, err)
	_, _, err = c.artifacts.Resolve(c.ctx, "tenant", "sf://snapshot/"+id)
	require.ErrorIs(c.t, err, fault.NotFound, "it is not finished")
	s := c.stored(disk(1, 9), "")
	defer s.Done()
	tx = view.Txn{Name: "add version"}
	_, err = c.artifacts.AddVersion(c.ctx, &tx, id, s)
	require.NoError(c.t, err)
	_, err = c.view.Commit(c.ctx, tx)
	require.NoError(c.t, err)
	a, err := c.artifacts.Get(c.ctx, id)
	require.NoError(c.t, err)
	return a
}

func TestBasesThatAreNone(t *testing.T) {
	inBubble(t, func(c *cloud) {
		up, err := c.upload(disk(1, 1), named("disk"))
		require.NoError(t, err)
		_, err = c.upload([]byte("x"), artifact.AddRequest{Namespace: "tenant", Name: "file", Type: artifact.Other})
		require.NoError(t, err)
		for text, kind := range map[string]fault.Kind{
			"label:":                     fault.Invalid,
			"label:a/b/c":                fault.Invalid,
			"label:/a":                   fault.Invalid,
			"label:..":                   fault.Invalid,
			"label:a\x00":                fault.Invalid,
			"label:none":                 fault.NotFound,
			"sf://":                      fault.Invalid,
			"sf://volume/x":              fault.Invalid,
			"sf://blob":                  fault.Invalid,
			"sf://blob/":                 fault.NotFound,
			"sf://blob/../../etc":        fault.NotFound,
			"sf://blob/" + up.ID:         fault.NotFound,
			"sf://snapshot/":             fault.NotFound,
			"sf://snapshot/disk":         fault.NotFound,
			"sf://label/tenant":          fault.NotFound,
			"sf://label/tenant/disk":     fault.NotFound,
			"sf://upload/tenant/file":    fault.NotFound,
			"sf://upload/tenant/../disk": fault.NotFound,
			"sf://instance/x/../y":       fault.NotFound,
			"sf://label/tenant/" + strings.Repeat("x", 1<<16): fault.NotFound,
		} {
			_, ok, err := c.artifacts.Resolve(c.ctx, "tenant", text)
			require.ErrorIs(t, err, kind, "%.99q", text)
			require.True(t, ok)
			require.Less(t, len(fault.Text(err)), 500)
		}
		_, err = c.artifacts.Delete(c.ctx, up.ID)
		require.NoError(t, err)
		for _, text := range []string{"sf://upload/tenant/disk", "sf://snapshot/" + up.ID} {
			_, _, err := c.artifacts.Resolve(c.ctx, "tenant", text)
			require.ErrorIs(t, err, fault.NotFound, text)
		}
	})
}

func TestOfSeveralThatAreMeantOnesOwnComesFirst(t *testing.T) {
	inBubble(t, func(c *cloud) {
		// Uploads of the tenant's into other namespaces bear the tenant's name.
		into := func(namespace string, seed uint64) string {
			a, err := c.upload(disk(1, seed), artifact.AddRequest{Caller: "tenant", Namespace: namespace, Name: "disk", SourceURL: "sf://upload/tenant/disk"})
			require.NoError(t, err)
			return a.Versions[0].Blob
		}
		for _, name := range []string{"one", "two"} {
			_, err := c.namespaces.Create(c.ctx, name, "", "")
			require.NoError(t, err)
			c.trust(name, "tenant")
		}
		const text = "sf://upload/tenant/disk"
		one := into("one", 1)
		require.Equal(t, one, c.base("tenant", text).Blob)
		_, err := c.upload(disk(1, 2), artifact.AddRequest{Caller: "tenant", Namespace: "two", Name: "disk", SourceURL: text})
		require.NoError(t, err)
		_, _, err = c.artifacts.Resolve(c.ctx, "tenant", text)
		require.ErrorIs(t, err, fault.Conflict)
		require.Contains(t, fault.Text(err), "2 artifacts of other namespaces")
	})
}
