package artifact

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
)

// release is a link to a release in CirrOS's listing.
var release = regexp.MustCompile(`href="(?:\./)?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})/?"`)

// maxListing bounds listings of releases and checksums, in bytes.
const maxListing = 1 << 20

// resolve returns the URL that a source means. For the shorthand cirros it asks for the newest release.
func (m *Manager) resolve(ctx context.Context, client *http.Client, source string) (string, error) {
	switch {
	case source == "cirros":
		newest, err := m.newestCirros(ctx, client)
		if err != nil {
			return "", err
		}
		return m.cirrosURL(newest), nil
	case cirros.MatchString(source):
		return m.cirrosURL(strings.TrimPrefix(source, "cirros:")), nil
	case shorthand.MatchString(source):
		return strings.TrimRight(m.ImageURL, "/") + "/" + source + "/latest.qcow2", nil
	}
	return source, nil
}

func (m *Manager) cirrosURL(version string) string {
	return strings.TrimRight(m.CirrosURL, "/") + "/" + version + "/cirros-" + version + "-x86_64-disk.img"
}

func (m *Manager) newestCirros(ctx context.Context, client *http.Client) (string, error) {
	listing := strings.TrimRight(m.CirrosURL, "/") + "/"
	page, err := small(ctx, client, listing)
	if err != nil {
		return "", err
	}
	var newest []int
	for _, hit := range release.FindAllStringSubmatch(page, -1) {
		var numbers []int
		for _, text := range hit[1:] {
			n, _ := strconv.Atoi(text) // four digits at most
			numbers = append(numbers, n)
		}
		if slices.Compare(numbers, newest) > 0 {
			newest = numbers
		}
	}
	if newest == nil {
		return "", fault.New(opAnswer, fault.Invalid, "", "%s lists no release: name one, such as cirros:0.6.3", redact(listing))
	}
	parts := make([]string, len(newest))
	for i, n := range newest {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, "."), nil
}

// small returns a small text that lies at a URL.
func small(ctx context.Context, client *http.Client, from string) (string, error) {
	resp, err := get(ctx, client, from, http.Header{})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if err := statusError(resp, false); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxListing))
	if err != nil {
		return "", fault.Because(opRead, fault.Unavailable, "", err, "%s broke off", redact(from))
	}
	return string(text), nil
}
