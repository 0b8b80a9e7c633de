package cloudtest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// BadImage is a way in which an image can be unusable, and what users must read of it.
type BadImage struct {
	Name  string
	Serve http.HandlerFunc // nil: nobody listens
	Says  []string         // parts of the instance's error message
}

// BadImages are the ways that every deployment must cope with.
func BadImages() []BadImage {
	return []BadImage{
		{Name: "nobody listens", Says: []string{"fetch image", "connection refused"}},
		{Name: "not there", Serve: http.NotFound, Says: []string{"fetch image", "404"}},
		{Name: "a page instead", Serve: page, Says: []string{"fetch image", "HTML"}},
		{Name: "cut off", Serve: cutOff, Says: []string{"fetch image"}},
		{Name: "names a file of the host", Serve: backedByShadow, Says: []string{"fetch image", "backing file"}},
	}
}

func page(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("<!DOCTYPE html>\n<html><body>Log in to continue</body></html>" + strings.Repeat(" ", 4096)))
}

// cutOff promises more than it sends.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1048576")
	disk := make([]byte, 1<<16)
	disk[510], disk[511] = 0x55, 0xaa
	_, _ = w.Write(disk)
	panic(http.ErrAbortHandler)
}

// backedByShadow is a QCOW2 header of version 2 whose backing file is /etc/shadow.
func backedByShadow(w http.ResponseWriter, _ *http.Request) {
	disk := make([]byte, 1<<17)
	copy(disk, "QFI\xfb\x00\x00\x00\x02")
	disk[15] = 72   // backing file name at
	disk[19] = 11   // its length
	disk[23] = 16   // cluster bits
	disk[28] = 0x40 // 1 GiB
	disk[39] = 2    // l1 entries
	disk[45] = 1    // l1 table at 64 KiB
	copy(disk[72:], "/etc/shadow")
	_, _ = w.Write(disk)
}

// Soon is within how long what can't work must say so.
const Soon = 15 * time.Second

// Fails creates an instance from a bad image and asserts that it gets to error soon and says why, and that deleting it
// leaves nothing.
func (b BadImage) Fails(ctx context.Context, t testing.TB, c *client.Client, w World) time.Duration {
	t.Helper()
	url, closeServer := "http://127.0.0.1:1/gone.qcow2", func() {}
	if b.Serve != nil {
		s := httptest.NewServer(b.Serve)
		url, closeServer = s.URL+"/bad.qcow2", s.Close
	}
	n, err := upNetwork(ctx, c)
	require.NoError(t, err)
	start := time.Now()
	i, err := c.CreateInstance(ctx, Tiny("bad", url, n.UUID))
	require.NoError(t, err)
	took, message := FailureOf(ctx, t, c, i.UUID, start)
	require.Less(t, took, Soon)
	closeServer() // it would count as left
	for _, text := range b.Says {
		require.Contains(t, message, text)
	}
	GoesCleanly(ctx, t, c, w)
	return took
}

// FailureOf waits until an instance is in error and returns how long that took since start, and what it says.
func FailureOf(ctx context.Context, t testing.TB, c *client.Client, id string, start time.Time) (time.Duration, string) {
	t.Helper()
	var i api.Instance
	err := until(ctx, func() (bool, error) {
		var err error
		i, err = c.GetInstance(ctx, id)
		if err == nil && i.State == "created" {
			return false, errors.New("the instance was created")
		}
		return i.State == "error", err
	})
	require.NoError(t, err)
	require.NotNil(t, i.ErrorMessage)
	t.Logf("proof: %s: error after %s: %s", cause(t), time.Since(start).Round(time.Millisecond), *i.ErrorMessage)
	return time.Since(start), *i.ErrorMessage
}

// Failure is FailureOf for an instance that was just asked for.
func Failure(ctx context.Context, t testing.TB, c *client.Client, r api.CreateInstance) (time.Duration, string) {
	t.Helper()
	start := time.Now()
	i, err := c.CreateInstance(ctx, r)
	require.NoError(t, err)
	return FailureOf(ctx, t, c, i.UUID, start)
}

// GoesCleanly deletes everything and asserts that nothing is left.
func GoesCleanly(ctx context.Context, t testing.TB, c *client.Client, w World) {
	t.Helper()
	require.NoError(t, Down(ctx, c))
	require.Empty(t, Remaining(ctx, t, w))
}

// Remaining returns what is still left after a while: processes take a moment to end, and the kernel a moment to free what
// they held.
func Remaining(ctx context.Context, t testing.TB, w World) []string {
	t.Helper()
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var left []string
	_ = until(patience, func() (bool, error) { left = w.Leftovers(ctx, t); return len(left) == 0, nil })
	return left
}

// NoAddressLeft fills a network and asserts that the next instance is refused with the numbers, and leaves nothing.
func NoAddressLeft(ctx context.Context, t testing.TB, c *client.Client, w World) {
	t.Helper()
	name := "small"
	n, err := c.CreateNetwork(ctx, api.CreateNetwork{Name: &name, Netblock: "10.78.0.0/29"})
	require.NoError(t, err)
	require.NoError(t, until(ctx, func() (bool, error) {
		n, err = c.GetNetwork(ctx, n.UUID)
		return n.State == "created", err
	}))
	for range 5 { // eight addresses, less network, router and broadcast
		i := Tiny("fill", "", n.UUID)
		_, err := c.CreateInstance(ctx, i)
		require.NoError(t, err)
	}
	before, err := c.ListInstances(ctx, true)
	require.NoError(t, err)
	_, err = c.CreateInstance(ctx, Tiny("toomany", "", n.UUID))
	require.ErrorIs(t, err, fault.Exhausted)
	require.ErrorContains(t, err, "no free address")
	t.Logf("proof: %s: 507 at once: %v", cause(t), err)
	after, err := c.ListInstances(ctx, true)
	require.NoError(t, err)
	require.Len(t, after, len(before), "a refused instance leaves no record")
	GoesCleanly(ctx, t, c, w)
}

// NoCapacity asks for more than any node has and asserts that it is refused with the numbers.
func NoCapacity(ctx context.Context, t testing.TB, c *client.Client) {
	t.Helper()
	i := Tiny("huge", "", "")
	i.Memory = 1 << 29
	_, err := c.CreateInstance(ctx, i)
	require.ErrorIs(t, err, fault.Exhausted)
	require.ErrorContains(t, err, "536870912 MiB")
	t.Logf("proof: %s: 507 at once: %v", cause(t), err)
}

// cause is what a test is about, as its name says.
func cause(t testing.TB) string {
	t.Helper()
	_, name, _ := strings.Cut(t.Name(), "/")
	return strings.ReplaceAll(name, "_", " ")
}
