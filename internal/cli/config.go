package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// settings say which server to talk to, and as whom. It is also what configuration files hold.
type settings struct {
	APIURL    string `json:"apiurl"`
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
}

// fill sets what is not set yet.
func (s *settings) fill(from settings) {
	for into, value := range map[*string]string{&s.APIURL: from.APIURL, &s.Namespace: from.Namespace, &s.Key: from.Key} {
		if *into == "" {
			*into = value
		}
	}
}

// configFiles are the paths of configuration files.
type configFiles struct {
	explicit string // named by the user; must be readable
	home     string
	system   string // often readable by root only, which is no error
}

func defaultFiles() configFiles {
	f := configFiles{system: "/etc/sf/shakenfist.json"}
	if home, err := os.UserHomeDir(); err == nil {
		f.home = filepath.Join(home, ".shakenfist")
	}
	return f
}

// lookUp completes the settings that flags gave: from the environment, then the file the user named; then, only if there
// is still no API URL, from the file in the home directory and that of the system.
func (a *app) lookUp() (settings, error) {
	s := a.settings
	s.fill(settings{
		APIURL: a.getenv("SHAKENFIST_API_URL"), Namespace: a.getenv("SHAKENFIST_NAMESPACE"), Key: a.getenv("SHAKENFIST_KEY"),
	})
	explicit := a.files.explicit
	if explicit == "" {
		explicit = a.getenv("SHAKENFIST_CONFIG")
	}
	if explicit != "" {
		from, err := readSettings(explicit)
		if err != nil {
			return s, failed("Cannot read the configuration file %s: %v", explicit, err)
		}
		s.fill(from)
	}
	if s.APIURL != "" {
		return s, nil
	}
	for _, path := range []string{a.files.home, a.files.system} {
		if path == "" {
			continue
		}
		from, err := readSettings(path)
		missing := errors.Is(err, fs.ErrNotExist) || (path == a.files.system && errors.Is(err, fs.ErrPermission))
		if err != nil && !missing {
			return s, failed("Cannot read the configuration file %s: %v", path, err)
		}
		s.fill(from)
	}
	return s, nil
}

// readSettings reads a configuration file. Its errors hold nothing of its content.
func readSettings(path string) (settings, error) {
	var s settings
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return settings{}, errors.New(`want a JSON object like {"apiurl": "http://host:13000", "namespace": "demo", "key": "…"}`)
	}
	return s, nil
}

func (a *app) getenv(name string) string {
	value, _ := a.env(name)
	return value
}

// patience returns the strategy that flags, environment or the default ask for.
func (a *app) patience() (client.Strategy, error) {
	name := a.strategy
	if name == "" {
		name = a.getenv("SHAKENFIST_ASYNC")
	}
	if name == "" {
		name = string(client.Pause)
	}
	s, err := client.ParseStrategy(name)
	if err != nil {
		return "", usageError{fault.Text(err)}
	}
	return s, nil
}

// client returns the connection to the server, making it when first called.
func (a *app) client() (*client.Client, error) {
	if a.connected != nil {
		return a.connected, nil
	}
	s, err := a.lookUp()
	if err != nil {
		return nil, err
	}
	if s.APIURL == "" {
		return nil, failed("No API URL: give --apiurl, set SHAKENFIST_API_URL, or write apiurl into ~/.shakenfist")
	}
	return a.connect(s)
}

func (a *app) connect(s settings) (*client.Client, error) {
	strategy, err := a.patience()
	if err != nil {
		return nil, err
	}
	if a.waiting.asked() {
		strategy = client.Block // app.within ends it sooner
	}
	o := client.Options{
		BaseURL: s.APIURL, Namespace: s.Namespace, Key: s.Key, Strategy: strategy, UserAgent: "sf-client/" + client.Version(),
		Trace: a.trace,
	}
	a.settings = s
	a.connected, err = client.New(o)
	if err == nil && a.verbose {
		a.tellf("API %s, namespace %s, async strategy %s\n", s.APIURL, s.Namespace, strategy)
	}
	return a.connected, err
}

// trace notes that the server was asked to change something, and prints a request and its answer if the user wants that.
func (a *app) trace(e client.Exchange) {
	if e.Method != http.MethodGet && !strings.HasSuffix(e.URL, api.PathAuth) {
		a.changing.Store(true)
	}
	if !a.verbose {
		return
	}
	outcome := fmt.Sprint(e.Status)
	if e.Err != nil {
		outcome = "no answer"
	}
	a.tellf("%s %s: %s after %v, request %s\n", e.Method, e.URL, outcome, e.Duration.Round(time.Millisecond), harmless(e.RequestID))
}
