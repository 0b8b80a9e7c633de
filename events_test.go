package shakenfist_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/simulation"
)

func TestEventsOfACloudMoveToItsFolderAndGoWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parts := simulation.New()
		cloud, err := shakenfist.New(parts.Config())
		require.NoError(t, err)
		stop := cloud.Start(t.Context())
		require.NoError(t, cloud.Ready(t.Context()))
		list := func() string {
			events, err := cloud.Events.List(t.Context(), event.Object{Kind: "namespace", ID: namespace.System}, event.Audit, 0)
			require.NoError(t, err)
			var all []string
			for _, e := range events {
				all = append(all, e.Message)
			}
			return strings.Join(all, ", ")
		}
		before := list()
		require.Contains(t, before, "created namespace")
		time.Sleep(time.Minute)
		page, err := parts.Store.List(t.Context(), "e/", "", 0)
		require.NoError(t, err)
		require.Empty(t, page.Entries)
		require.Equal(t, before, list())
		files, err := filepath.Glob(filepath.Join(cloud.Dir(), "events", "audit-*"))
		require.NoError(t, err)
		require.Len(t, files, 1)
		require.NoError(t, stop())
		_, err = os.Stat(cloud.Dir())
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestAgesOfTypesThatThereAreNot(t *testing.T) {
	t.Parallel()
	config := simulation.Config()
	config.EventAges = map[event.Type]time.Duration{"odd": time.Hour} //nolint:exhaustive // that is the point
	_, err := shakenfist.New(config)
	require.ErrorContains(t, err, `Config.EventAges: event_type "odd" is not known`)
}
