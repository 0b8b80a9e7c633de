//go:build prove && cgo && libvirt_dlopen

package real_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/hostdiff"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

// TestProveKilledAtEveryStep kills a real daemon everywhere, and looks at every place of the host afterwards.
func TestProveKilledAtEveryStep(t *testing.T) {
	dir := pretendhost.Inside(t)
	// What the tests themselves write changes these.
	look := hostdiff.Options{Ignore: []string{"temporary files", "home", "logs", "state of programs"}}
	places := 0
	fresh := func(t testing.TB) cloudtest.World {
		t.Helper()
		w := cloudtest.NewReal(t, dir, guestimage.Tiny(t), look)
		places = w.Places
		return w
	}
	k := cloudtest.KillEverywhere(t, fresh, 2*time.Minute, cloudtest.Every)
	require.Empty(t, k.Missed)
	require.GreaterOrEqual(t, places, 30)
	t.Logf("proof: real libvirt, netlink, dnsmasq and etcd: N = %d kill points (kill -9 before and after each of %d steps of create and delete), all as wanted after a restart, nothing left in %d places looked at; longest recovery %s",
		k.Points, k.Steps, places, k.Longest.Round(time.Millisecond))
}

// TestProveTrouble says how each kind of trouble ends.
func TestProveTrouble(t *testing.T) { trouble(t) }

// TestProveGuestDoesNotNotice says what a guest sees of its daemon's death.
func TestProveGuestDoesNotNotice(t *testing.T) { guestDoesNotNotice(t) }

// rounds is how often each timed thing is done.
const rounds = 15

// TestProveFigures times creates and deletes beside bare libvirt with the same XML.
func TestProveFigures(t *testing.T) {
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 20*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	defer p.SayWhenFailed(t)
	first, err := cloudtest.Up(ctx, p.Client, w.Image()) // from here on the image is cached
	require.NoError(t, err)
	bare := newBare(t, first)
	network := first.Interfaces[0].NetworkUUID
	first, err = p.Client.DeleteInstance(ctx, first.UUID)
	require.NoError(t, err)
	_, err = p.Client.WaitInstanceDeleted(ctx, first.UUID, nil)
	require.NoError(t, err)

	var accepted, running, deleted, bareUp, bareDown []time.Duration
	for range rounds {
		start := time.Now()
		i, err := p.Client.CreateInstance(ctx, cloudtest.Tiny("timed", w.Image(), network))
		accepted = append(accepted, time.Since(start))
		require.NoError(t, err)
		bare.awaitRunning(t, i.UUID)
		running = append(running, time.Since(start))
		p.Await(ctx, t, i.UUID, "created")

		start = time.Now()
		_, err = p.Client.DeleteInstance(ctx, i.UUID)
		require.NoError(t, err)
		p.Await(ctx, t, i.UUID, "deleted")
		deleted = append(deleted, time.Since(start))

		up, down := bare.cycle(t)
		bareUp, bareDown = append(bareUp, up), append(bareDown, down)
	}
	bare.close(t)
	if text, err := os.ReadFile(filepath.Join(w.Dir, "steps")); err == nil && os.Getenv("SF_SHOW") != "" {
		t.Log(string(text))
	}
	t.Logf("proof: POST /instances accepted: median %s of %d (aim 5ms)", median(accepted), rounds)
	t.Logf("proof: POST to domain running, image cached: median %s; bare libvirt define+start of the same XML: %s; %.2f times (aim 1.15; the original 3.4)",
		median(running), median(bareUp), ratio(running, bareUp))
	t.Logf("proof: DELETE to deleted: median %s; bare libvirt destroy+undefine: %s; %.2f times (aim 1.2)",
		median(deleted), median(bareDown), ratio(deleted, bareDown))
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2].Round(100 * time.Microsecond)
}

func ratio(a, b []time.Duration) float64 { return float64(median(a)) / float64(median(b)) }

// bare is libvirt without a cloud: a copy of an instance's domain and of its disks.
type bare struct {
	c   *libvirt.Connect
	xml string
	id  string
	dir string
}

// newBare copies the domain of a running instance.
func newBare(t *testing.T, i api.Instance) *bare {
	t.Helper()
	c, err := libvirt.NewConnect("qemu:///system")
	require.NoError(t, err)
	d, err := c.LookupDomainByUUIDString(i.UUID)
	require.NoError(t, err)
	defer d.Free() //nolint:errcheck // the test is over if it fails
	xml, err := d.GetXMLDesc(libvirt.DOMAIN_XML_INACTIVE)
	require.NoError(t, err)
	b := &bare{c: c, id: uuid.NewString(), dir: filepath.Join(pretendhost.Inside(t), "bare")}
	require.NoError(t, os.Mkdir(b.dir, 0o755)) // the guest's user passes through
	files := regexp.MustCompile(`file='([^']*/instances/[^']*)'`)
	for _, m := range files.FindAllStringSubmatch(xml, -1) {
		if content, err := os.ReadFile(m[1]); err == nil {
			path := filepath.Join(b.dir, filepath.Base(m[1]))
			require.NoError(t, os.WriteFile(path, content, 0o600))
			require.NoError(t, os.Chmod(path, 0o666)) // the guest's user writes it
			xml = strings.ReplaceAll(xml, m[1], path)
		}
	}
	xml = strings.ReplaceAll(xml, filepath.Dir(findConsole(xml)), b.dir)
	// Without the marks by which the daemon would take it for one of its own, that nobody wants.
	xml = regexp.MustCompile(`(?s)<metadata>.*</metadata>`).ReplaceAllString(strings.ReplaceAll(xml, "<name>sf:", "<name>bare:"), "")
	b.xml = strings.ReplaceAll(strings.ReplaceAll(xml, i.UUID, b.id), i.Interfaces[0].MAC, "02:00:00:ba:4e:01")
	return b
}

func findConsole(xml string) string {
	return regexp.MustCompile(`<log file='([^']*)'`).FindStringSubmatch(xml)[1]
}

// cycle defines and starts the copy, and ends it again.
func (b *bare) cycle(t *testing.T) (up, down time.Duration) {
	t.Helper()
	start := time.Now()
	d, err := b.c.DomainDefineXML(b.xml)
	require.NoError(t, err)
	defer d.Free() //nolint:errcheck // the test is over if it fails
	require.NoError(t, d.Create())
	up = time.Since(start)
	time.Sleep(20 * time.Millisecond) // as long as an instance runs here
	start = time.Now()
	require.NoError(t, d.Destroy())
	require.NoError(t, d.Undefine())
	return up, time.Since(start)
}

// awaitRunning asks libvirt itself whether an instance's domain runs.
func (b *bare) awaitRunning(t *testing.T, id string) {
	t.Helper()
	for {
		if d, err := b.c.LookupDomainByUUIDString(id); err == nil {
			state, _, err := d.GetState()
			_ = d.Free()
			if err == nil && state == libvirt.DOMAIN_RUNNING {
				return
			}
		}
		require.NoError(t, t.Context().Err())
		time.Sleep(time.Millisecond)
	}
}

func (b *bare) close(t *testing.T) {
	t.Helper()
	_, err := b.c.Close()
	require.NoError(t, err)
	logs, err := filepath.Glob("/var/log/libvirt/qemu/*" + b.id + "*")
	require.NoError(t, err)
	for _, l := range logs {
		require.NoError(t, os.Remove(l))
	}
}

// TestProveIdle looks at a daemon that has nothing to do for a minute, with one network and one instance that is off.
func TestProveIdle(t *testing.T) {
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 5*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	i, err := cloudtest.Up(ctx, p.Client, w.Image())
	require.NoError(t, err)
	require.NoError(t, p.Client.PowerOff(ctx, i.UUID))
	time.Sleep(10 * time.Second) // let what was begun end
	before := usageOf(ctx, t, w, p.PID)
	log := p.Log()
	time.Sleep(time.Minute)
	after := usageOf(ctx, t, w, p.PID)
	t.Logf("proof: idle for a minute: %d process (aim 1; the original 20), %.0f MB resident (aim 60; the original 1800), %.2f %% CPU (aim 0.2), store reads %d (aim 0), commits %d, log lines %d",
		after.processes, after.resident, (after.cpu-before.cpu).Seconds()/60*100, after.reads-before.reads, after.commits-before.commits,
		strings.Count(p.Log(), "\n")-strings.Count(log, "\n"))
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
	t.Logf("proof: idle floor: an embedded etcd with nothing above it takes %.2f %% CPU", etcdAlone(t))
}

// etcdAlone is the share of a processor that an idle embedded etcd takes, in percent.
func etcdAlone(t *testing.T) float64 {
	t.Helper()
	s, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: filepath.Join(t.TempDir(), "etcd")})
	require.NoError(t, err)
	defer s.Close() //nolint:errcheck // the test is over
	const span = 30 * time.Second
	time.Sleep(5 * time.Second)
	before := ownCPU(t)
	time.Sleep(span)
	return (ownCPU(t) - before).Seconds() / span.Seconds() * 100
}

func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// usage is what a daemon takes of its host.
type usage struct {
	processes int
	resident  float64 // MB
	cpu       time.Duration
	reads     int
	commits   int
}

func usageOf(ctx context.Context, t *testing.T, w *cloudtest.Real, pid int) usage {
	t.Helper()
	var u usage
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	require.NoError(t, err)
	u.processes = 1 + len(strings.Fields(string(children)))
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	f := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))
	for _, ticks := range f[11:13] {
		n, err := strconv.Atoi(ticks)
		require.NoError(t, err)
		u.cpu += time.Duration(n) * 10 * time.Millisecond // USER_HZ is 100
	}
	pages, err := strconv.Atoi(f[21])
	require.NoError(t, err)
	u.resident = float64(pages) * float64(os.Getpagesize()) / 1e6
	u.reads, u.commits = storeOperations(ctx, t, w)
	return u
}

// storeOperations asks the daemon's metrics.
func storeOperations(ctx context.Context, t *testing.T, w *cloudtest.Real) (reads, commits int) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL()+"/metrics", nil)
	require.NoError(t, err)
	a, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer a.Body.Close() //nolint:errcheck // only read
	line := regexp.MustCompile(`^\w*store\w*\{.*="(\w+)".*\} (\S+)$`)
	found := false
	for s := bufio.NewScanner(a.Body); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		n, err := strconv.ParseFloat(m[2], 64)
		require.NoError(t, err)
		switch {
		case strings.HasPrefix(m[1], "get"), strings.HasPrefix(m[1], "list"):
			reads += int(n)
			found = true
		case strings.HasPrefix(m[1], "commit"):
			commits += int(n)
		}
	}
	require.True(t, found, "the metrics count the store's reads")
	return reads, commits
}
