package daemon

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestOneMachineNeedsNoConfiguration(t *testing.T) {
	t.Parallel()
	c, unknown, err := loadConfig(nil)
	if err != nil || unknown != nil {
		t.Fatal(unknown, err)
	}
	if c.APIPort != 13000 || c.StoragePath != "/srv/shakenfist" || c.Zone != "shakenfist" || !c.IsHypervisor || !c.IsNetworkNode ||
		c.endpoints() != nil || c.NodeName == "" || c.Accelerator != "auto" || c.limits().MinimumFreeDiskBytes >= 0 {
		t.Errorf("got %+v", c)
	}
}

func TestEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	path := settingsFile(t, "# comment\n\nexport SHAKENFIST_ZONE=\"fromfile\"\nSHAKENFIST_NODE_NAME='n1'\nSHAKENFIST_API_PORT=\nSHAKENFIST_OLD=1\n")
	values, err := flags{config: path}.settings([]string{"SHAKENFIST_ZONE=fromenv", "HOME=/", "SHAKENFIST_KEY=hidden", "SHAKENFIST_ETCD_ENDPOINTS=a:1,b:2"})
	if err != nil {
		t.Fatal(err)
	}
	c, unknown, err := loadConfig(values)
	if err != nil || c.Zone != "fromenv" || c.NodeName != "n1" || c.APIPort != 13000 || !reflect.DeepEqual(c.endpoints(), []string{"a:1", "b:2"}) {
		t.Errorf("got %+v (%v)", c, err)
	}
	if !reflect.DeepEqual(unknown, []string{"SHAKENFIST_OLD"}) {
		t.Errorf("unknown: %v", unknown)
	}
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	path := settingsFile(t, "SHAKENFIST_API_PORT=many\nSHAKENFIST_ACCELERATOR=warp\nSHAKENFIST_CPU_OVERCOMMIT_RATIO=NaN\n"+
		"SHAKENFIST_NODE_IS_HYPERVISOR=perhaps\nSHAKENFIST_DNS_SERVER=eight\nSHAKENFIST_MAX_HYPERVISOR_MTU=12\nSHAKENFIST_AUTH_SECRET_SEED=short\n"+
		"SHAKENFIST_ZONE=Ä\nSHAKENFIST_DISK_BUS=floppy\n"+
		"SHAKENFIST_MAX_AUDIT_EVENT_AGE=0\nSHAKENFIST_MAX_USAGE_EVENT_AGE=-1\nSHAKENFIST_MAX_PRUNE_EVENT_AGE=-2\nSHAKENFIST_EVENT_DISK_BUDGET=4096\n"+
		"SHAKENFIST_IMAGE_SOURCE_DENY=10.0.0.0/8,everything\nSHAKENFIST_IMAGE_SOURCE_ALLOW=300\nSHAKENFIST_HTTP_PROXY_SERVER=ftp://user:hush@proxy\n")
	p := start(t, nil, "--config", path, "--simulate")
	if code := p.wait(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	mustContain(t, p.log(),
		"SHAKENFIST_API_PORT: invalid syntax; it must be a whole number",
		`SHAKENFIST_ACCELERATOR: "warp" is not known; use auto, kvm or qemu`,
		"SHAKENFIST_CPU_OVERCOMMIT_RATIO: NaN is out of range",
		"SHAKENFIST_NODE_IS_HYPERVISOR: invalid syntax; it must be true or false",
		`SHAKENFIST_DNS_SERVER: "eight" is not an IPv4 address`,
		"SHAKENFIST_MAX_HYPERVISOR_MTU: 12 is out of range",
		"SHAKENFIST_MAX_AUDIT_EVENT_AGE: 0 is out of range; use 1 to 2147483647, or -1 for ever",
		"SHAKENFIST_MAX_PRUNE_EVENT_AGE: -2 is out of range",
		"SHAKENFIST_EVENT_DISK_BUDGET: 4096 is out of range",
		`SHAKENFIST_IMAGE_SOURCE_DENY: "everything" is none of 10.0.0.0/8, 10.0.0.1, 10.0.0.1:80, [fd00::1]:80 and 80`,
		"SHAKENFIST_HTTP_PROXY_SERVER: a proxy's URL begins with http://, https:// or socks5://, not with ftp://",
		"SHAKENFIST_AUTH_SECRET_SEED: it has less than 16 characters",
		"SHAKENFIST_ZONE:", "SHAKENFIST_DISK_BUS:",
	)
	if strings.Count(p.log(), "API_PORT") != 1 {
		t.Errorf("said twice:\n%s", p.log())
	}
	if strings.Contains(p.log(), "short") {
		t.Errorf("the secret is said:\n%s", p.log())
	}
}

func TestFileThatIsNoConfigurationIsSaid(t *testing.T) {
	t.Parallel()
	path := settingsFile(t, "SHAKENFIST_ZONE=a\nwhat is this\n= 7\n")
	if _, err := (flags{config: path}).settings(nil); err == nil {
		t.Error("no error")
	} else {
		mustContain(t, err.Error(), "line 2", "line 3", path)
	}
	if _, err := (flags{config: filepath.Join(t.TempDir(), "none")}).settings(nil); err == nil {
		t.Error("a file that was named is not there, and nobody says so")
	}
}

func TestSecretsCanLieInFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("a long and random secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := loadConfig(map[string]string{"SHAKENFIST_AUTH_SECRET_SEED_FILE": path})
	if err != nil || c.Secret != "a long and random secret" {
		t.Errorf("got %q (%v)", c.Secret, err)
	}
	both := map[string]string{"SHAKENFIST_AUTH_SECRET_SEED_FILE": path, "SHAKENFIST_AUTH_SECRET_SEED": "another long secret"}
	if _, _, err := loadConfig(both); err == nil {
		t.Error("two secrets were taken")
	}
	if _, _, err := loadConfig(map[string]string{"SHAKENFIST_AUTH_SECRET_SEED_FILE": path + "x"}); err == nil {
		t.Error("a file that is not there was taken")
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  []string
		code  int
		words string
	}{
		{[]string{"--help"}, exitOK, "One machine needs no configuration"},
		{[]string{"--nonsense"}, exitUsage, "nonsense"},
		{[]string{"nonsense"}, exitUsage, "takes no arguments"},
		{[]string{"--log-format", "xml"}, exitUsage, "use text or json"},
		{[]string{"--log-level", "loud"}, exitUsage, "loud"},
	} {
		p := start(t, nil, c.args...)
		if code := p.wait(); code != c.code {
			t.Errorf("%v: exit code %d", c.args, code)
		}
		mustContain(t, p.log(), c.words)
	}
	p := start(t, nil, "--version")
	if line, err := p.stdout.ReadString('\n'); err != nil || !strings.HasPrefix(line, "sf-daemon ") {
		t.Errorf("version %q (%v)", line, err)
	}
}

func TestUnknownSettingsAreSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, []string{"SHAKENFIST_COLOUR=red", "SHAKENFIST_API_URL=http://x"}, inState(dir, "--simulate", "--log-format", "json")...)
	for p.address() == "" && !strings.Contains(p.log(), `"msg":"ready"`) {
		select {
		case <-p.ended:
			t.Fatal(p.log())
		default:
		}
	}
	mustContain(t, p.log(), "SHAKENFIST_COLOUR")
	if strings.Contains(p.log(), "SHAKENFIST_API_URL") {
		t.Error("a setting of the client is taken for an unknown one")
	}
}
