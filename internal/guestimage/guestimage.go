// Package guestimage gives tests guests that really boot.
//
// The tiny guest (tools/guests/build-tiny.sh says what it does and which lines it prints on its serial port) and the Debian
// guest are built once and kept in a cache: shakenfist-test in the user's cache directory, or the directory that
// SF_TEST_CACHE names.
package guestimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// stale is the age at which an image built from another script or agent is removed from the cache.
const stale = 7 * 24 * time.Hour

// Tiny returns the path of the tiny guest's image, a QCOW2 of about 14 MB (40 MiB virtual), which the caller must not
// change. Only root can read it there: hypervisors that run guests as another user need a copy. The test is skipped
// where the tools to build it are missing.
func Tiny(t testing.TB) string {
	t.Helper()
	return tiny(t, "")
}

// TinyWithAgent is Tiny with the in-guest agent installed: agent is the path of a static binary.
func TinyWithAgent(t testing.TB, agent string) string {
	t.Helper()
	return tiny(t, agent)
}

func tiny(t testing.TB, agent string) string {
	t.Helper()
	needs.Tools(t, needs.Qemu, "busybox", "cpio", "mkfs.fat", "sfdisk", "depmod", "modprobe", "mcopy", "syslinux",
		"qemu-img", "dpkg-deb", "apt-get")
	return cached(t, "tiny", agent)
}

// Debian returns the path of the Debian guest's image, a QCOW2 of some 300 MB (2 GiB virtual) with qemu-guest-agent, which the
// caller must not change. To build it takes minutes; proofs use it. The test is skipped where the tools are missing.
func Debian(t testing.TB) string {
	t.Helper()
	needs.Tools(t, needs.Qemu, "debootstrap", "mke2fs", "sfdisk", "grub-mkimage", "qemu-img")
	return cached(t, "debian12", "")
}

func cached(t testing.TB, name, agent string) string {
	t.Helper()
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	image, err := build(t.Context(), cache, name, agent)
	if err != nil {
		t.Fatalf("build the guest %s: %v", name, err)
	}
	return image
}

// cacheDir is where images are kept.
func cacheDir() (string, error) {
	if dir := os.Getenv("SF_TEST_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory, set SF_TEST_CACHE: %w", err)
	}
	return filepath.Join(user, "shakenfist-test"), nil
}

// build returns the image of the guest name made from the present script and agent, and makes it unless it is in the cache.
func build(ctx context.Context, cache, name, agent string) (string, error) {
	script, err := builder(name)
	if err != nil {
		return "", err
	}
	key, err := digest(script, agent)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil { //nolint:gosec // others may read what is no secret
		return "", err
	}
	unlock, err := lock(filepath.Join(cache, name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	image := filepath.Join(cache, name+"-"+key+".qcow2")
	if _, err := os.Stat(image); !errors.Is(err, os.ErrNotExist) {
		return image, err
	}
	sweep(cache, name)
	// The kernel comes from the package mirror, which a pretend host does not reach. The script writes to a temporary
	// name and renames, so an image is there completely or not at all.
	c, err := pretendhost.Outside(ctx, "env", "AGENT="+agent, "bash", script, image)
	if err != nil {
		return "", err
	}
	if said, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", script, err, said)
	}
	return image, nil
}

// builder is the path of the script that builds the guest name, in the source tree this package was compiled from.
func builder(name string) (string, error) {
	_, self, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(self) {
		return "", errors.New("the source tree is not known; build without -trimpath")
	}
	return filepath.Join(filepath.Dir(self), "..", "..", "tools", "guests", "build-"+name+".sh"), nil
}

// digest is a short name for the contents of the files; "" stands for no file.
func digest(files ...string) (string, error) {
	sum := sha256.New()
	for _, f := range files {
		if f == "" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		each := sha256.Sum256(b)
		sum.Write(each[:])
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// lock waits until no other test builds.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // others may build too
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives up the lock
}

// sweep removes images nobody can want any more and leftovers of cut-off builds. That it could not is no reason to fail.
func sweep(cache, name string) {
	files, err := filepath.Glob(filepath.Join(cache, name+"-*"))
	if err != nil {
		return
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err == nil && (time.Since(info.ModTime()) > stale || strings.HasSuffix(f, ".tmp")) {
			_ = os.Remove(f)
		}
	}
}
