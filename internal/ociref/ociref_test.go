package ociref_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/ociref"
)

func digest() string { return "sha256:" + strings.Repeat("0f", 32) }

func TestURLsOfImages(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]struct{ image, short, scheme string }{
		"oci://registry.test/web":                        {"registry.test/web:latest", "web:latest", "https"},
		"oci://registry/disks/web:1.2-x_Y":               {"registry/disks/web:1.2-x_Y", "web:1.2-x_Y", "https"},
		"oci://registry.test:5000/web@" + digest():       {"registry.test:5000/web@" + digest(), "web", "https"},
		"oci://registry.test/a/b/web:1@" + digest():      {"registry.test/a/b/web@" + digest(), "web", "https"},
		"oci://docker.io/alpine":                         {"index.docker.io/library/alpine:latest", "alpine:latest", "https"},
		"oci://127.0.0.1:5000/web":                       {"127.0.0.1:5000/web:latest", "web:latest", "http"},
		"oci://10.1.2.3/web":                             {"10.1.2.3/web:latest", "web:latest", "http"},
		"oci://localhost:5000/web":                       {"localhost:5000/web:latest", "web:latest", "http"},
		"oci://[::1]:5000/web":                           {"[::1]:5000/web:latest", "web:latest", "http"},
		"oci+http://registry.test/web":                   {"registry.test/web:latest", "web:latest", "http"},
		"oci://who:hu%2Fsh@registry.test/web":            {"registry.test/web:latest", "web:latest", "https"},
		"oci://registry.test/a__b/c--d/e.f:" + long(128): {"registry.test/a__b/c--d/e.f:" + long(128), "e.f:" + long(128), "https"},
	} {
		r, err := ociref.Parse(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := r.Image.Name(); got != want.image || r.Name() != want.short || r.Image.Context().Scheme() != want.scheme {
			t.Errorf("%s: got %s, %s, by %s", source, got, r.Name(), r.Image.Context().Scheme())
		}
		scheme, _, _ := strings.Cut(source, "://")
		if r.String() != scheme+"://"+want.image {
			t.Errorf("%s: got %s", source, r)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestURLsThatAreNone(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":                                   "names no registry",
		"https://registry.test/web":          "names no registry",
		"OCI://registry.test/web":            "names no registry",
		"oci://":                             "names no registry",
		"oci:///web":                         "names no registry",
		"oci://:5000/web":                    "names no registry",
		"oci:registry.test/web":              "names no registry",
		"oci://registry.test:port/web":       "names no registry",
		"oci://registry.test":                `"" is no repository`,
		"oci://registry.test/Web":            `"Web" is no repository`,
		"oci://registry.test/a/../b":         `"a/../b" is no repository`,
		"oci://registry.test/a//b":           `"a//b" is no repository`,
		"oci://registry.test/" + long(256):   "is no repository",
		"oci://registry.test/web:":           `"" is no tag`,
		"oci://registry.test/web:-a":         `"-a" is no tag`,
		"oci://registry.test/w:" + long(129): "is no tag",
		"oci://registry.test/web:a:b":        `"web:a" is no repository`,
		"oci://registry.test/web?x=hush":     "has more than",
		"oci://registry.test/web#hush":       "has more than",
		"oci://registry.test/web@sha256:12":  `"sha256:12" is no digest`,
		"oci://registry.test/web@md5:d41d8cd98f00b204e9800998ecf8427e": "is no digest",
		"oci://who:hush@registry.test/Web":                             `url "oci://registry.test/Web"`,
		"oci://who:hush@registry.test:x/Web":                           "(unreadable)",
	} {
		_, err := ociref.Parse(source)
		if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Text(err), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestALoginIsOfTheURL(t *testing.T) {
	t.Parallel()
	r, err := ociref.Parse("oci://who:hu%2Fsh@registry.test/web")
	if err != nil {
		t.Fatal(err)
	}
	login, err := authn.Authorization(t.Context(), r.Login)
	if err != nil || login.Username != "who" || login.Password != "hu/sh" {
		t.Errorf("got %+v, %v", login, err)
	}
	if r, err = ociref.Parse("oci://registry.test/web"); err != nil || r.Login != authn.Anonymous {
		t.Errorf("got %+v, %v", r, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("oci://who:hush@registry.test:5000/a/b:1@" + digest())
	f.Fuzz(func(t *testing.T, source string) {
		r, err := ociref.Parse(source)
		if err != nil {
			return
		}
		again, err := ociref.Parse(r.String())
		if err != nil || again.Image.Name() != r.Image.Name() {
			t.Errorf("%q is %s, which is %v, %v", source, r, again.Image, err)
		}
	})
}
