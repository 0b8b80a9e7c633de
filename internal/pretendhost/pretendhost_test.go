package pretendhost_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// wantMain makes this test binary behave as one whose TestMain is pretendhost.Main.
const wantMain = "SF_TEST_PRETENDHOST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(wantMain) != "" {
		pretendhost.Main(m, pretendhost.Options{Name: "inner"})
	}
	os.Exit(m.Run())
}

func run(t *testing.T, h *pretendhost.Host, name string, args ...string) string {
	t.Helper()
	out, err := h.Run(t.Context(), name, args...)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

func TestHostHasItsOwnNameDevicesAndFolders(t *testing.T) {
	t.Parallel()
	h := pretendhost.Start(t, pretendhost.Options{Name: "h1"})
	require.Equal(t, "h1", run(t, h, "hostname"))
	require.Equal(t, "lo", run(t, h, "ls", "/sys/class/net"))
	require.Equal(t, "fd full net null ptmx pts random shm stderr stdin stdout tty urandom zero",
		strings.Join(strings.Fields(run(t, h, "ls", "/dev")), " "))
	run(t, h, "ip", "netns", "add", "inner")
	require.FileExists(t, h.Path("/run/netns/inner"))
	require.NoFileExists(t, "/run/netns/inner")
	require.Equal(t, "device", run(t, h, "ip", "netns", "exec", "inner", "sh", "-c", "echo device >/dev/stdout"))
}

func TestCommandsKeepTheirDirectoryAndSignals(t *testing.T) {
	t.Parallel()
	h := pretendhost.Start(t, pretendhost.Options{})
	here, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, here, run(t, h, "pwd"))

	c := h.Command(t.Context(), "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done")
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	_, err = out.Read(make([]byte, 3))
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(os.Signal(sigterm)))
	require.Error(t, c.Wait())
	require.Equal(t, 7, c.ProcessState.ExitCode())
}

func TestHostsOfALabReachEachOtherUntilCut(t *testing.T) {
	t.Parallel()
	lab := pretendhost.NewLab(t)
	a := pretendhost.Start(t, pretendhost.Options{Name: "a", Lab: lab, Address: netip.MustParsePrefix("10.90.0.1/24")})
	b := pretendhost.Start(t, pretendhost.Options{Name: "b", Lab: lab, Address: netip.MustParsePrefix("10.90.0.2/24")})
	ping := func() error {
		_, err := a.Run(t.Context(), "ping", "-c", "1", "-W", "1", "10.90.0.2")
		return err
	}
	require.NoError(t, ping())
	require.NoError(t, lab.Cut(t.Context(), b))
	require.Error(t, ping())
	require.NoError(t, lab.Mend(t.Context(), b))
	require.NoError(t, ping())
}

func TestNothingIsLeftOfAHost(t *testing.T) {
	t.Parallel()
	pretendhost.Start(t, pretendhost.Options{}) // skips where a host cannot be made
	h, err := pretendhost.New(t.Context(), pretendhost.Options{Address: netip.MustParsePrefix("10.90.0.1/24")})
	require.NoError(t, err)
	run(t, h, "sh", "-c", "ip netns add x; setsid ip netns exec x sleep 1000 >/dev/null 2>&1 &")
	run(t, h, "sh", "-c", "setsid sh -c 'trap \"\" TERM; sleep 1001' >/dev/null 2>&1 &")
	pids, err := h.Processes()
	require.NoError(t, err)
	require.NotEmpty(t, pids)

	require.NoError(t, h.Close())
	require.NoError(t, h.Close(), "closing twice is success")
	require.NoDirExists(t, h.Dir)
	for _, pid := range append(pids, h.PID) {
		_, err := os.Readlink(filepath.Join("/proc", itoa(pid), "exe"))
		require.Error(t, err, "process %d still runs", pid) // that nobody has asked for its exit code yet is not ours to mend
	}
}

func TestHostOfAKilledTestGoesAway(t *testing.T) {
	t.Parallel()
	h := pretendhost.Start(t, pretendhost.Options{})
	// A program that makes a host inside the host, says where it is, and is killed.
	self, err := os.Executable()
	require.NoError(t, err)
	c := h.Command(t.Context(), self, "-test.run=^TestInnerDiesByItsOwnHand$", "-test.v")
	c.Env = append(os.Environ(), wantDeath+"=1")
	out, err := c.Output()
	require.Error(t, err)
	_, dir, found := strings.Cut(string(out), "host at ")
	require.True(t, found, "%s", out)
	dir = strings.Fields(dir)[0]
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, patience, tick)
}

func TestCrashEndsEveryProcessButNotTheHost(t *testing.T) {
	t.Parallel()
	h := pretendhost.Start(t, pretendhost.Options{})
	run(t, h, "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
	require.NoError(t, h.Crash())
	pids, err := h.Processes()
	require.NoError(t, err)
	require.Empty(t, pids)
	require.Equal(t, "host", run(t, h, "hostname"))
}

func TestMainRunsTheTestsInside(t *testing.T) {
	t.Parallel()
	pretendhost.Start(t, pretendhost.Options{})
	self, err := os.Executable()
	require.NoError(t, err)
	again := func(test string) (string, int) {
		c := exec.CommandContext(t.Context(), self, "-test.run=^"+test+"$", "-test.v")
		c.Env = append(os.Environ(), wantMain+"=1", wantFailure+"=1")
		out, err := c.CombinedOutput()
		if err == nil {
			return string(out), 0
		}
		return string(out), c.ProcessState.ExitCode()
	}
	out, code := again("TestInnerSeesItsHost")
	require.Equal(t, 0, code, "%s", out)
	require.Contains(t, out, "--- PASS: TestInnerSeesItsHost")
	out, code = again("TestInnerFails")
	require.Equal(t, 1, code, "%s", out)
	require.Contains(t, out, "failing as told")
}

func TestLibvirtdOfAHostIsItsOwn(t *testing.T) {
	t.Parallel()
	a := pretendhost.Start(t, pretendhost.Options{Name: "a", Libvirt: true})
	b := pretendhost.Start(t, pretendhost.Options{Name: "b", Libvirt: true})
	file := filepath.Join(t.TempDir(), "d.xml")
	require.NoError(t, os.WriteFile(file, []byte(`<domain type="qemu"><name>d</name><memory unit="MiB">16</memory>
<os><type arch="x86_64" machine="pc">hvm</type></os></domain>`), 0o600))
	run(t, a, "virsh", "define", file)
	run(t, a, "virsh", "start", "d")
	require.Equal(t, "running", run(t, a, "virsh", "domstate", "d"))
	require.Empty(t, run(t, b, "virsh", "list", "--all", "--name"))
	require.NoFileExists(t, "/etc/libvirt/qemu/d.xml")

	before, err := a.LibvirtdPID()
	require.NoError(t, err)
	require.NoError(t, a.KillLibvirtd())
	_, err = a.Run(t.Context(), "virsh", "list")
	require.Error(t, err)
	require.NoError(t, a.StartLibvirtd(t.Context()))
	require.Equal(t, "running", run(t, a, "virsh", "domstate", "d"), "a guest outlives libvirtd")
	require.NoError(t, a.RestartLibvirtd(t.Context()))
	after, err := a.LibvirtdPID()
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	require.Equal(t, "running", run(t, a, "virsh", "domstate", "d"))
}
