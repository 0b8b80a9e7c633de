package artifact

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
)

func TestAProxyIsAskedExceptForWhatIsNear(t *testing.T) {
	t.Parallel()
	p, err := ParseProxy("proxy.test:3128", " .inside.test, mirror, 203.0.113.0/24,2001:db8::1 ")
	require.NoError(t, err)
	require.Equal(t, "proxy.test:3128", p.address())
	choose := p.choose(guard{})
	for url, direct := range map[string]bool{
		"http://127.0.0.9/": true, "http://localhost./": true, "http://[::1]/": true, "http://[::ffff:127.0.0.1]/": true,
		"http://deep.INSIDE.test/": true, "http://inside.test/": true, "http://mirror/": true, "https://203.0.113.9/": true, "http://[2001:db8::1]/": true,
		"http://192.0.2.1/": false, "https://192.0.2.1/": false, "http://[2001:db8::2]/": false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		require.NoError(t, err)
		to, err := choose(r)
		require.NoError(t, err)
		require.Equal(t, direct, to == nil, url)
	}
	all, err := ParseProxy("http://proxy.test", "*")
	require.NoError(t, err)
	require.Equal(t, "proxy.test:80", all.address())
	require.True(t, all.direct("192.0.2.1"))
	require.False(t, p.direct("notinside.test"))
}

func TestAProxyThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	none, err := ParseProxy("  ", "x")
	require.NoError(t, err)
	require.Nil(t, none)
	for _, text := range []string{"ftp://user:hush@proxy", "http://user:hush@", "http://user:hush@[::1", "http://user:hu sh@proxy"} {
		_, err := ParseProxy(text, "")
		require.ErrorIs(t, err, fault.Invalid, text)
		require.NotContains(t, err.Error(), "hush")
		require.NotContains(t, err.Error(), "hu sh")
	}
}
