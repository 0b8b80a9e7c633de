package machine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/machine"
)

// fake writes files below a folder that stands for the root of a machine. A name that ends in a slash is a folder.
func fake(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return root
}

const netHead = "Inter-|   Receive                                                |  Transmit\n" +
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"

func busy() map[string]string {
	return map[string]string{
		"proc/loadavg": "1.50 0.75 0.25 1/94 24764\n",
		"proc/meminfo": "MemTotal:       16384000 kB\nMemFree:         1024000 kB\nMemAvailable:    8192000 kB\n",
		"proc/diskstats": "   8       0 sda 10 0 100 5 20 0 200 7 0 9 12 0 0 0 0 0 0\n" +
			"   8       1 sda1 10 0 90 5 20 0 190 7 0 9 12 0 0 0 0 0 0\n" +
			"   7       0 loop0 10 0 1000 5 20 0 2000 7 0 9 12 0 0 0 0 0 0\n" +
			" 259       0 nvme0n1 1 0 1 0 1 0 2 0 0 0 0 0 0 0 0 0 0\n",
		"proc/net/dev": netHead + "    lo: 7000 1 0 0 0 0 0 0 7000 1 0 0 0 0 0 0\n" +
			"  eth0: 300 1 0 0 0 0 0 0 40 1 0 0 0 0 0 0\n br-vxlan-000001: 5000 1 0 0 0 0 0 0 6000 1 0 0 0 0 0 0\n",
		"sys/block/sda/device/": "", "sys/block/nvme0n1/device/": "", "sys/block/loop0/loop/": "", "sys/class/net/eth0/device/": "",
	}
}

func open(t *testing.T, files map[string]string) *machine.Reader {
	t.Helper()
	r, err := machine.Open(fake(t, files))
	require.NoError(t, err)
	return r
}

func TestFiguresAreThoseOfTheHardware(t *testing.T) {
	t.Parallel()
	f, err := open(t, busy()).Figures()
	require.NoError(t, err)
	require.Equal(t, machine.Figures{
		Load1: 1.5, Load5: 0.75, Load15: 0.25, MemoryAvailable: 8000,
		DiskRead: 101 * 512, DiskWritten: 202 * 512, NetworkRead: 300, NetworkWritten: 40,
	}, f)
}

func TestWithoutNetworkCardsEverythingButLoopbackCounts(t *testing.T) {
	t.Parallel()
	files := busy()
	delete(files, "sys/class/net/eth0/device/")
	f, err := open(t, files).Figures()
	require.NoError(t, err)
	require.EqualValues(t, 5300, f.NetworkRead)
	require.EqualValues(t, 6040, f.NetworkWritten)
}

func TestWhatCanNotBeReadIsSaidAndTheRestIsThere(t *testing.T) {
	t.Parallel()
	files := busy()
	delete(files, "proc/diskstats")
	files["proc/loadavg"] = "busy"
	f, err := open(t, files).Figures()
	require.ErrorIs(t, err, fault.Unavailable)
	require.ErrorContains(t, err, "diskstats")
	require.ErrorContains(t, err, `"busy"`)
	require.Equal(t, machine.Figures{MemoryAvailable: 8000, NetworkRead: 300, NetworkWritten: 40}, f)
}

func TestAFolderThatIsNoMachineIsRefused(t *testing.T) {
	t.Parallel()
	_, err := machine.Open(filepath.Join(t.TempDir(), "nowhere"))
	require.ErrorIs(t, err, fault.Invalid)
}

// process adds the files of one.
func process(files map[string]string, pid, parent int, name string, ticks, began int, args ...string) {
	files[fmt.Sprintf("proc/%d/stat", pid)] = fmt.Sprintf(
		"%d (%s) S %d 1 1 0 -1 4194560 1 1 1 1 %d %d 0 0 20 0 1 0 %d 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n",
		pid, name, parent, ticks-1, 1, began)
	files[fmt.Sprintf("proc/%d/cmdline", pid)] = strings.Join(args, "\x00") + "\x00"
}

func TestProcessesAreTheDaemonsFamilyAndWhatIsOurs(t *testing.T) {
	t.Parallel()
	booted := time.Now().Add(-time.Hour).Truncate(time.Second)
	files := map[string]string{"proc/stat": fmt.Sprintf("cpu  1 2 3 4 5 6 7 8 9 10\nbtime %d\n", booted.Unix())}
	process(files, 1, 0, "systemd", 900, 0, "/sbin/init")
	process(files, 50, 1, "sshd", 900, 0, "sshd")
	process(files, 100, 1, "sf-daemon", 1250, 60_000, "/usr/bin/sf-daemon")
	process(files, 101, 100, "qemu-img", 300, 120_000, "qemu-img", "convert")
	process(files, 102, 101, "qemu-img", 100, 120_000, "qemu-img", "convert")
	process(files, 200, 1, "qemu-system-x86", 5000, 180_000, "qemu-system-x86_64", "-name", "guest=sf:abc")
	process(files, 201, 1, "qemu-system-x86", 5000, 180_000, "qemu-system-x86_64", "-name", "guest=other")
	process(files, 300, 100, "a (name/ with", 1, 180_000)
	files["proc/400/cmdline"] = "ended\x00" // its stat went first
	r := open(t, files)

	list, err := r.Processes(100, func(args []string) string {
		if len(args) > 2 && args[2] == "guest=sf:abc" {
			return "qemu-abc"
		}
		return ""
	})
	require.NoError(t, err)
	byName := map[string]machine.Process{}
	names := []string{}
	for _, p := range list {
		byName[p.Name] = p
		names = append(names, p.Name)
	}
	require.Equal(t, []string{"sf-daemon", "qemu-img", "qemu-img-2", "qemu-abc", "a_name_with"}, names)
	require.Equal(t, 12500*time.Millisecond, byName["sf-daemon"].CPUTime)
	require.InDelta(t, (50 * time.Minute).Seconds(), byName["sf-daemon"].Age.Seconds(), 10)
	require.Equal(t, 3*time.Second, byName["qemu-img"].CPUTime)
	require.InDelta(t, (30 * time.Minute).Seconds(), byName["qemu-abc"].Age.Seconds(), 10)
}

func TestAMachineWithoutProcessesIsAnError(t *testing.T) {
	t.Parallel()
	_, err := open(t, busy()).Processes(1, func([]string) string { return "" })
	require.ErrorIs(t, err, fault.Unavailable)
}

func TestThisMachineCanBeRead(t *testing.T) {
	t.Parallel()
	r, err := machine.Open("/")
	require.NoError(t, err)
	_, err = r.Figures()
	require.NoError(t, err)
	list, err := r.Processes(os.Getpid(), func([]string) string { return "" })
	require.NoError(t, err)
	require.NotEmpty(t, list)
}
