package configdrive_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tool returns the path of a program that gives a second opinion, or skips the test.
func tool(t *testing.T, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case slices.Contains(strings.Split(os.Getenv("SF_REQUIRE"), ","), name):
		t.Fatalf("%s is required by SF_REQUIRE and missing: %s", name, install)
	default:
		t.Skipf("%s is missing; to run this test: %s", name, install)
	}
	return ""
}

// TestOtherReadersAgree has isoinfo read both trees and compares with what was put in.
func TestOtherReadersAgree(t *testing.T) {
	t.Parallel()
	isoinfo := tool(t, "isoinfo", "apt-get install genisoimage")
	image := build(t, full())
	want, _ := read(t, image)
	path := filepath.Join(t.TempDir(), "config.iso")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), isoinfo, append([]string{"-i", path}, args...)...).Output()
		if err != nil {
			t.Fatalf("isoinfo %v: %v", args, err)
		}
		return string(out)
	}
	if about := run("-d"); !strings.Contains(about, "Volume id: config-2") || !strings.Contains(about, "Joliet with UCS level 3") {
		t.Errorf("isoinfo says:\n%s", about)
	}
	for _, tree := range []struct {
		name string
		args []string
	}{{"primary", nil}, {"Joliet", []string{"-J"}}} {
		names := map[string]string{} // as they are without version and empty extension
		for line := range strings.Lines(run(append(tree.args, "-f")...)) {
			raw := strings.TrimSpace(line)
			names[strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(raw), ";1"), ".")] = raw
		}
		for file, content := range want {
			if got := run(append(tree.args, "-x", names[file])...); names[file] == "" || got != content {
				t.Errorf("%s tree: %s is %q, want %q; there are %v", tree.name, file, got, content, names)
			}
		}
		if table := run(append(tree.args, "-p")...); strings.Count(table, "\n") < 5 {
			t.Errorf("%s tree: path table is\n%s", tree.name, table)
		}
	}
}

// TestBlkidFindsTheLabel asks what udev asks, by which guests find the drive.
func TestBlkidFindsTheLabel(t *testing.T) {
	t.Parallel()
	blkid := tool(t, "blkid", "apt-get install util-linux")
	path := filepath.Join(t.TempDir(), "config.iso")
	if err := os.WriteFile(path, build(t, full()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), blkid, "-p", "-o", "export", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "LABEL=config-2\n") || !strings.Contains(string(out), "TYPE=iso9660\n") {
		t.Errorf("blkid says %v:\n%s", err, out)
	}
}
