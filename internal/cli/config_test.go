package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/client"
)

// testApp returns an app with an environment and configuration files of the given contents; "" for no file.
func testApp(t *testing.T, env map[string]string, explicit, home, system string) *app {
	t.Helper()
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	a := &app{out: &output{w: io.Discard}, err: io.Discard, tty: isTerminal}
	a.env = func(name string) (string, bool) {
		value, found := env[name]
		return value, found
	}
	a.files = configFiles{home: file("home", home), system: file("system", system)}
	if explicit != "" {
		a.files.explicit = file("explicit", explicit)
	}
	return a
}

func TestSettingsAreLookedUpInOrder(t *testing.T) {
	t.Parallel()
	const (
		explicit = `{"apiurl": "http://explicit", "namespace": "explicit", "key": "explicit"}`
		home     = `{"apiurl": "http://home", "namespace": "home", "key": "home"}`
		system   = `{"apiurl": "http://system", "namespace": "system", "key": "system"}`
	)
	for name, c := range map[string]struct {
		flags                  settings
		env                    map[string]string
		explicit, home, system string
		want                   settings
	}{
		"flags before the environment": {
			flags: settings{APIURL: "http://flag", Namespace: "flag", Key: "flag"},
			env:   map[string]string{"SHAKENFIST_API_URL": "http://env", "SHAKENFIST_NAMESPACE": "env", "SHAKENFIST_KEY": "env"},
			want:  settings{APIURL: "http://flag", Namespace: "flag", Key: "flag"},
		},
		"environment before files": {
			env:  map[string]string{"SHAKENFIST_API_URL": "http://env", "SHAKENFIST_NAMESPACE": "env", "SHAKENFIST_KEY": "env"},
			home: home, system: system, want: settings{APIURL: "http://env", Namespace: "env", Key: "env"},
		},
		"no file once there is an API URL, whatever else is missing": {
			env: map[string]string{"SHAKENFIST_API_URL": "http://env"}, home: home, system: system, want: settings{APIURL: "http://env"},
		},
		"the file in the home directory keeps what is set": {
			flags: settings{Namespace: "flag"}, env: map[string]string{"SHAKENFIST_KEY": "env"}, home: home,
			want: settings{APIURL: "http://home", Namespace: "flag", Key: "env"},
		},
		"the home directory before the system": {home: home, system: system, want: settings{APIURL: "http://home", Namespace: "home", Key: "home"}},
		"the system fills in what the home directory lacks": {
			home: `{"key": "home"}`, system: system, want: settings{APIURL: "http://system", Namespace: "system", Key: "home"},
		},
		"the named file fills in even beside an API URL": {
			env: map[string]string{"SHAKENFIST_API_URL": "http://env"}, explicit: explicit, home: home,
			want: settings{APIURL: "http://env", Namespace: "explicit", Key: "explicit"},
		},
		"nothing anywhere": {},
	} {
		a := testApp(t, c.env, c.explicit, c.home, c.system)
		a.settings = c.flags
		if got, err := a.lookUp(); err != nil || got != c.want {
			t.Errorf("%s: got %+v (%v), want %+v", name, got, err, c.want)
		}
	}
}

func TestFilesThatCannotBeReadAreErrorsWithoutTheirContent(t *testing.T) {
	t.Parallel()
	for _, a := range []*app{
		testApp(t, nil, "", `{"key": "hunter2"`, ""),
		testApp(t, nil, "", "", `["hunter2"]`),
		testApp(t, map[string]string{"SHAKENFIST_CONFIG": filepath.Join(t.TempDir(), "nonsuch")}, "", "", ""),
	} {
		_, err := a.lookUp()
		var own failure
		if !errors.As(err, &own) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}

func TestWithoutAPIURLTheUserIsToldWhereToPutIt(t *testing.T) {
	t.Parallel()
	_, err := testApp(t, nil, "", "", "").client()
	if err == nil || !strings.Contains(err.Error(), "SHAKENFIST_API_URL") {
		t.Errorf("got %v", err)
	}
}

func TestPatienceComesFromFlagEnvironmentOrDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flag, env string
		want      time.Duration
	}{{"", "", time.Minute}, {"block", "continue", time.Hour}, {"", "continue", 0}} {
		a := testApp(t, map[string]string{"SHAKENFIST_ASYNC": c.env}, "", "", "")
		a.strategy = c.flag
		got, err := a.patience()
		if err != nil || got.Patience() != c.want {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	a := testApp(t, map[string]string{"SHAKENFIST_ASYNC": "never"}, "", "", "")
	var usage usageError
	if _, err := a.patience(); !errors.As(err, &usage) {
		t.Errorf("got %v", err)
	}
	if client.Pause.Patience() != time.Minute {
		t.Error("pause is not a minute")
	}
}
