package artifact_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// stored puts content on the disk, as an upload would.
func (c *cloud) stored(content []byte, kind blob.Kind) *blob.Stored {
	c.t.Helper()
	s, err := c.blobs.Ingest(c.ctx, blob.Content{Reader: bytes.NewReader(content), Size: -1, Kind: kind})
	require.NoError(c.t, err)
	return s
}

// upload adds content to the artifact of a request.
func (c *cloud) upload(content []byte, r artifact.AddRequest) (artifact.Artifact, error) {
	c.t.Helper()
	kind := blob.Image
	if r.Type == artifact.Other {
		kind = blob.Other
	}
	r.Stored = c.stored(content, kind)
	defer r.Stored.Done()
	return c.artifacts.Add(c.ctx, r)
}

// named is a request of the tenant's.
func named(name string) artifact.AddRequest {
	return artifact.AddRequest{Namespace: "tenant", Name: name}
}

// inBubble runs f on a cloud with namespaces and no origin.
func inBubble(t *testing.T, f func(c *cloud)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t).start(nil).withNamespaces("other")) })
}

// indexes are those of an artifact's versions.
func indexes(a artifact.Artifact) []int {
	all := []int{}
	for _, v := range a.Versions {
		all = append(all, v.Index)
	}
	return all
}

func TestWhatIsUploadedIsAnArtifact(t *testing.T) {
	inBubble(t, func(c *cloud) {
		a, err := c.upload(disk(4, 1), named("disk"))
		require.NoError(t, err)
		require.Equal(t, artifact.Created, a.State)
		require.Equal(t, "sf://upload/tenant/disk", a.SourceURL)
		require.Equal(t, []int{1}, indexes(a))
		require.Empty(t, a.Fetching)

		same, err := c.upload(disk(4, 1), named("disk"))
		require.NoError(t, err)
		require.Equal(t, a, same, "the same content adds no version")

		more, err := c.upload(disk(4, 2), named("disk"))
		require.NoError(t, err)
		require.Equal(t, a.ID, more.ID)
		require.Equal(t, []int{1, 2}, indexes(more))
		require.Equal(t, []string{"create request", "version added", "version added"}, c.messages(a.ID))

		twin, err := c.upload(disk(4, 2), named("again"))
		require.NoError(t, err)
		require.NotEqual(t, a.ID, twin.ID)
		require.Equal(t, more.Versions[1].Blob, twin.Versions[0].Blob, "room is used once")
		time.Sleep(time.Minute)
		require.Len(t, c.blobs.List(c.ctx), 2)
		contents := 0
		for _, f := range c.files() {
			if strings.HasPrefix(f, "blobs/") {
				contents++
			}
		}
		require.Equal(t, 2, contents)
	})
}

func TestABlobBecomesAnArtifact(t *testing.T) {
	inBubble(t, func(c *cloud) {
		bytes, err := c.upload(disk(4, 1), artifact.AddRequest{Namespace: "tenant", Name: "bytes", Type: artifact.Other})
		require.NoError(t, err)
		require.Equal(t, artifact.Other, bytes.Type)
		from := bytes.Versions[0].Blob

		r := named("disk")
		r.Blob = strings.ToUpper(from)
		made, err := c.artifacts.Add(c.ctx, r)
		require.NoError(t, err)
		b, err := c.blobs.Get(c.ctx, made.Versions[0].Blob)
		require.NoError(t, err)
		require.NotEmpty(t, b.Facts.Format, "bytes that are to boot are looked at")
		require.NotEqual(t, from, b.ID)

		r.Name, r.Blob = "second", b.ID
		second, err := c.artifacts.Add(c.ctx, r)
		require.NoError(t, err)
		require.Equal(t, b.ID, second.Versions[0].Blob)

		text, err := c.upload([]byte("no disk"), artifact.AddRequest{Namespace: "tenant", Name: "text", Type: artifact.Other})
		require.NoError(t, err)
		r.Name, r.Blob = "third", text.Versions[0].Blob
		_, err = c.artifacts.Add(c.ctx, r)
		require.ErrorIs(t, err, fault.Invalid, "what is no disk is refused")

		r.Blob = "5a00d6f3-0000-4000-8000-000000000000"
		_, err = c.artifacts.Add(c.ctx, r)
		require.ErrorIs(t, err, fault.NotFound)
		require.Contains(t, fault.Text(err), "blob not found")
	})
}

func TestAnUploadAddsToWhatTheCallerMayChange(t *testing.T) {
	inBubble(t, func(c *cloud) {
		const url = "https://images.test/x.img"
		from := func(namespace string) artifact.AddRequest {
			return artifact.AddRequest{Namespace: namespace, Name: "x", SourceURL: url}
		}
		shared := from("system")
		shared.Shared = true
		everybodys, err := c.upload(disk(1, 1), shared)
		require.NoError(t, err)
		require.True(t, everybodys.Shared)

		mine, err := c.upload(disk(1, 2), from("tenant"))
		require.NoError(t, err)
		require.NotEqual(t, everybodys.ID, mine.ID, "what is shared can only be read")
		for _, owner := range []string{"one", "two"} {
			_, err := c.namespaces.Create(c.ctx, owner, "", "")
			require.NoError(t, err)
			_, err = c.upload(disk(1, 3), from(owner))
			require.NoError(t, err)
		}
		c.trust("one", "other")
		theirs, err := c.upload(disk(1, 4), from("other"))
		require.NoError(t, err)
		require.Equal(t, "one", theirs.Namespace)
		require.Equal(t, []int{1, 2}, indexes(theirs))
		c.trust("two", "other")
		_, err = c.upload(disk(1, 5), from("other"))
		require.ErrorIs(t, err, fault.Conflict)
		require.Contains(t, fault.Text(err), "2 artifacts of other namespaces")

		again, err := c.upload(disk(1, 6), from("tenant"))
		require.NoError(t, err)
		require.Equal(t, mine.ID, again.ID)
	})
}

// A tenant can't put words into a URL's mouth, for those whom it trusts to use.
func TestWhatOthersUploadedInTheNameOfAURLIsNotUsed(t *testing.T) {
	inBubble(t, func(c *cloud) {
		c.origin.has(disk(2, 1), yesterday())
		forged, err := c.upload(disk(2, 66), artifact.AddRequest{Namespace: "other", Name: "disk", SourceURL: imageURL})
		require.NoError(t, err)
		c.trust("other", "tenant")
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		require.NotEqual(t, forged.ID, a.ID)
		require.Equal(t, "tenant", a.Namespace)

		_, err = c.upload(disk(2, 67), artifact.AddRequest{Namespace: "tenant", Name: "disk", SourceURL: imageURL})
		require.NoError(t, err)
		a, err = c.fetched(imageURL)
		require.NoError(t, err)
		require.Equal(t, []int{1, 2, 3}, indexes(a), "the source is asked for everything: what it said was said of another version")
	})
}

func TestAdditionsThatAreRefused(t *testing.T) {
	inBubble(t, func(c *cloud) {
		s := c.stored(disk(1, 1), blob.Image)
		defer s.Done()
		for name, test := range map[string]struct {
			change func(*artifact.AddRequest)
			kind   fault.Kind
			text   string
		}{
			"no name":                  {func(r *artifact.AddRequest) { r.Name = "" }, fault.Invalid, "artifact name is empty"},
			"a slash":                  {func(r *artifact.AddRequest) { r.Name = "a/b" }, fault.Invalid, "has a slash"},
			"a walk up":                {func(r *artifact.AddRequest) { r.Name = ".." }, fault.Invalid, "use another name"},
			"a line break":             {func(r *artifact.AddRequest) { r.Name = "a\nb" }, fault.Invalid, "control character"},
			"another direction":        {func(r *artifact.AddRequest) { r.Name = "a\u202eb" }, fault.Invalid, "control character"},
			"no UTF-8":                 {func(r *artifact.AddRequest) { r.Name = "a\xff" }, fault.Invalid, "not UTF-8"},
			"a long name":              {func(r *artifact.AddRequest) { r.Name = strings.Repeat("x", 256) }, fault.Invalid, "at most 255"},
			"a blank at the end":       {func(r *artifact.AddRequest) { r.Name = "a " }, fault.Invalid, "blank"},
			"a type of our own":        {func(r *artifact.AddRequest) { r.Type = artifact.Label }, fault.Forbidden, "artifact_type"},
			"sharing":                  {func(r *artifact.AddRequest) { r.Shared = true }, fault.Forbidden, "only the system namespace can create shared artifacts"},
			"no such namespace":        {func(r *artifact.AddRequest) { r.Namespace, r.Caller = "nowhere", "system" }, fault.NotFound, "namespace not found"},
			"a namespace of others":    {func(r *artifact.AddRequest) { r.Namespace, r.Caller = "other", "tenant" }, fault.NotFound, "namespace not found"},
			"a label's source":         {func(r *artifact.AddRequest) { r.SourceURL = "sf://label/tenant/x" }, fault.Invalid, "source_url"},
			"an upload without a name": {func(r *artifact.AddRequest) { r.SourceURL = "sf://upload/tenant" }, fault.Invalid, "source_url"},
			"an upload of others":      {func(r *artifact.AddRequest) { r.SourceURL = "sf://upload/other/x" }, fault.NotFound, "namespace not found"},
			"an upload with slashes":   {func(r *artifact.AddRequest) { r.SourceURL = "sf://upload/tenant/a/b" }, fault.Invalid, "source_url: the name"},
			"a long source":            {func(r *artifact.AddRequest) { r.SourceURL = strings.Repeat("x", 4097) }, fault.Invalid, "at most 4096"},
			"a source with a tab":      {func(r *artifact.AddRequest) { r.SourceURL = "http://a/\t" }, fault.Invalid, "source_url has a control character"},
		} {
			r := named("fine")
			r.Stored = s
			test.change(&r)
			_, err := c.artifacts.Add(c.ctx, r)
			require.ErrorIs(t, err, test.kind, name)
			require.Contains(t, fault.Text(err), test.text, name)
			require.Error(t, c.artifacts.ValidateAdd(c.ctx, r), name)
		}
		require.Empty(t, c.artifacts.List(c.ctx, "system"))
	})
}

func TestWhatEndsWithAnAdditionEndsOnlyWithIt(t *testing.T) {
	inBubble(t, func(c *cloud) {
		note := func(tx *view.Txn) {
			tx.Do(c.events.Op(c.ctx, event.Object{Kind: "upload", ID: "u"}, event.Audit, "ended", nil))
		}
		ended := func() int {
			events, err := c.events.List(c.ctx, event.Object{Kind: "upload", ID: "u"}, "", -1)
			require.NoError(t, err)
			return len(events)
		}
		r := named("disk")
		r.With, r.Upload = note, "5a00d6f3-0000-4000-8000-000000000000"
		a, err := c.upload(disk(1, 1), r)
		require.NoError(t, err)
		require.Equal(t, 1, ended())
		_, err = c.upload(disk(1, 1), r)
		require.NoError(t, err)
		require.Equal(t, 2, ended(), "also when the content adds no version")
		r.Shared = true
		_, err = c.upload(disk(1, 2), r)
		require.ErrorIs(t, err, fault.Forbidden)
		require.Equal(t, 2, ended())

		found, ok := c.artifacts.Uploaded("tenant", strings.ToUpper(r.Upload))
		require.True(t, ok)
		require.Equal(t, a, found)
		_, ok = c.artifacts.Uploaded("other", r.Upload)
		require.False(t, ok)

		r.Shared, r.Upload = false, "5a00d6f3-0000-4000-8000-000000000001" // of the same content
		same, err := c.upload(disk(1, 1), r)
		require.NoError(t, err)
		require.Equal(t, found, same)
		found, ok = c.artifacts.Uploaded("tenant", r.Upload)
		require.True(t, ok)
		require.Equal(t, same, found)
	})
}

func TestUsageIsRecordedWhenItChangesAndWhenAsked(t *testing.T) {
	inBubble(t, func(c *cloud) {
		told := func(id string) (float64, time.Time) {
			e, ok, err := c.events.Newest(c.ctx, event.Object{Kind: "artifact", ID: id}, event.Usage)
			require.NoError(t, err)
			if !ok {
				return -1, e.At
			}
			bytes, _ := e.Extra["bytes"].(float64)
			return bytes, e.At
		}
		early, err := c.upload(disk(4, 1), named("early"))
		require.NoError(t, err)
		synctest.Wait()
		bytes, _ := told(early.ID)
		require.InDelta(t, -1, bytes, 0, "before the first report nothing is")
		require.NoError(t, c.artifacts.ReportUsage(c.ctx))
		bytes, first := told(early.ID)
		require.InDelta(t, 4*512, bytes, 0)

		late, err := c.upload(disk(2, 2), named("late"))
		require.NoError(t, err)
		_, err = c.upload(disk(1, 3), named("late"))
		require.NoError(t, err)
		time.Sleep(time.Second)
		bytes, _ = told(late.ID)
		require.InDelta(t, 3*512, bytes, 0)
		require.NoError(t, c.artifacts.SetMaxVersions(c.ctx, late.ID, 1))
		time.Sleep(time.Second)
		bytes, _ = told(late.ID)
		require.InDelta(t, 512, bytes, 0)

		time.Sleep(time.Hour)
		_, still := told(early.ID)
		require.Equal(t, first, still)
		require.NoError(t, c.artifacts.ReportUsage(c.ctx))
		_, again := told(early.ID)
		require.Greater(t, again, first)
	})
}

func TestTheSameContentUploadedAgainRepairsADamagedCopy(t *testing.T) {
	inBubble(t, func(c *cloud) {
		content := append([]byte("one of a kind"), make([]byte, 1<<12)...)
		a, err := c.upload(content, artifact.AddRequest{Namespace: "tenant", Name: "first", Type: artifact.Other})
		require.NoError(t, err)
		id := a.Versions[0].Blob
		require.NoError(t, os.WriteFile(c.blobs.Path(id), make([]byte, len(content)), 0o600))
		time.Sleep(2 * blob.DefaultVerify)
		b, err := c.blobs.Get(c.ctx, id)
		require.NoError(t, err)
		require.NotEmpty(t, b.Damaged)

		a, err = c.upload(content, artifact.AddRequest{Namespace: "tenant", Name: "second", Type: artifact.Other})
		require.NoError(t, err)
		require.Equal(t, id, a.Versions[0].Blob, "they share the content")
		b, err = c.blobs.Get(c.ctx, id)
		require.NoError(t, err)
		require.Empty(t, b.Damaged)
		now, err := os.ReadFile(c.blobs.Path(id))
		require.NoError(t, err)
		require.Equal(t, content, now)
	})
}
