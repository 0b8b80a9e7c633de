package pretendhost_test

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// The tests of this file are run by others in a process of its own.

const (
	wantDeath   = "SF_TEST_PRETENDHOST_DEATH"
	wantFailure = "SF_TEST_PRETENDHOST_FAILURE"

	sigterm  = syscall.SIGTERM
	patience = 30 * time.Second
	tick     = 10 * time.Millisecond
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestInnerSeesItsHost(t *testing.T) {
	if os.Getenv(wantMain) == "" {
		t.Skip("run by TestMainRunsTheTestsInside")
	}
	dir := pretendhost.Inside(t)
	require.DirExists(t, dir)
	name, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, "inner", name)
	require.FileExists(t, "pretendhost.go", "the working directory is kept")

	c, err := pretendhost.Outside(t.Context(), "hostname")
	require.NoError(t, err)
	out, err := c.Output()
	require.NoError(t, err)
	require.NotEqual(t, "inner\n", string(out))
}

func TestInnerFails(t *testing.T) {
	if os.Getenv(wantFailure) == "" {
		t.Skip("run by TestMainRunsTheTestsInside")
	}
	t.Fatal("failing as told")
}

func TestInnerDiesByItsOwnHand(t *testing.T) {
	if os.Getenv(wantDeath) == "" {
		t.Skip("run by TestHostOfAKilledTestGoesAway")
	}
	h := pretendhost.Start(t, pretendhost.Options{})
	run(t, h, "sh", "-c", "setsid sleep 1002 >/dev/null 2>&1 &")
	fmt.Println("host at", h.Dir)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
}
