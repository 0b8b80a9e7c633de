package artifact

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
)

// release is a link to a release in CirrOS's listing.
var release = regexp.MustCompile(`href="(?:\./)?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})/?"`)

// maxListing bounds the listing, in bytes.
const maxListing = 1 << 20

// resolve returns the URL that a source means. For the shorthand cirros it asks for the newest release.
func (m *Manager) resolve(ctx context.Context, source string) (string, error) {
	switch {
	case source == "cirros":
		newest, err := m.newestCirros(ctx)
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

func (m *Manager) newestCirros(ctx context.Context) (string, error) {
	const op = "fetch image"
	listing := strings.TrimRight(m.CirrosURL, "/") + "/"
	resp, err := m.ask(ctx, listing, origin{})
	if err != nil {
		return "", fault.Wrap(op, listing, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var page bytes.Buffer
	if _, err := io.Copy(&page, io.LimitReader(resp.Body, maxListing)); err != nil {
		return "", fault.Because(op, fault.Unavailable, "", err, "the list of CirrOS releases broke off")
	}
	var newest []int
	for _, hit := range release.FindAllStringSubmatch(page.String(), -1) {
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
		return "", fault.New(op, fault.Invalid, "", "%s lists no release: name one, such as cirros:0.6.3", redact(listing))
	}
	parts := make([]string, len(newest))
	for i, n := range newest {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, "."), nil
}
