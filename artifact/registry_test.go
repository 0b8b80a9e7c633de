package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func zstandard(t *testing.T, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return w.EncodeAll(content, nil)
}

// requireDisk insists that the newest version of an artifact is that disk.
func (c *cloud) requireDisk(a artifact.Artifact, content []byte) {
	c.t.Helper()
	require.Equal(c.t, artifact.Created, a.State, a.Error)
	b, err := c.blobs.Get(c.ctx, a.Versions[len(a.Versions)-1].Blob)
	require.NoError(c.t, err)
	sum := sha512.Sum512(content)
	require.Equal(c.t, hex.EncodeToString(sum[:]), b.SHA512)
	require.EqualValues(c.t, len(content), b.Size)
}

func TestADiskComesFromARegistry(t *testing.T) {
	t.Parallel()
	content := disk(300, 1)
	web := file("disk/web.img", content)
	cases := map[string]func(s *shelf){
		"unpacked":         func(s *shelf) { s.has(web) },
		"packed by gzip":   func(s *shelf) { s.image("1", s.layer(typeGzip, gzipped(s.t, tarOf(s.t, web)))) },
		"packed by zstd":   func(s *shelf) { s.image("1", s.layer(typeZstd, zstandard(s.t, tarOf(s.t, web)))) },
		"a type that lies": func(s *shelf) { s.image("1", s.layer(typeZstd, gzipped(s.t, tarOf(s.t, web)))) },
		"with a folder":    func(s *shelf) { s.has(link(tar.TypeDir, "disk/", ""), web) },
		"named from here":  func(s *shelf) { s.has(file("./disk/web.img", content)) },
		"named from above": func(s *shelf) { s.has(file("/disk//web.img", content)) },
		"among other files": func(s *shelf) {
			s.has(file("etc/passwd", []byte("root")), web, file("disk.img", content[:512]))
		},
		"deeper things are none": func(s *shelf) {
			s.has(link(tar.TypeDir, "disk/old", ""), file("disk/old/web.img", content[:512]), web, link(tar.TypeSymlink, "disk/old/x", "/etc/shadow"))
		},
		"beneath a layer without": func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, web)), s.layer(typeTar, tarOf(s.t, file("etc/motd", []byte("hello")))))
		},
		"above one that it replaces": func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, file("disk/web.img", content[:512]))), s.layer(typeTar, tarOf(s.t, web)))
		},
		"beside one that is removed": func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, file("disk/old.img", content[:512]), web)), s.layer(typeTar, tarOf(s.t, file("disk/.wh.old.img", nil))))
		},
		"for this platform": func(s *shelf) {
			arm, amd := s.image("arm", s.layer(typeTar, tarOf(s.t, file("disk/web.img", content[:512])))), s.image("amd", s.layer(typeTar, tarOf(s.t, web)))
			arm.Platform, amd.Platform = &platform{"linux", "arm64"}, &platform{"linux", "amd64"}
			s.index("1", arm, descriptor{MediaType: typeManifest, Digest: digestOf(nil), Platform: &platform{"unknown", "unknown"}}, amd)
		},
		"in a list in a list": func(s *shelf) {
			s.index("1", s.index("inner", s.image("amd", s.layer(typeTar, tarOf(s.t, web)))))
		},
	}
	for name, put := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(t), newShelf(t)
				put(s)
				w.origin.does(s.ServeHTTP)
				cloud := w.start(nil).withNamespaces()
				a, err := cloud.fetched(imageOCI)
				require.NoError(t, err)
				cloud.requireDisk(a, content)
				require.Equal(t, "web:1", a.Name)
				synctest.Wait()
				cloud.consistent()
			})
		})
	}
}

// trick is what a stranger would put into a container registry, and why it is refused.
type trick struct {
	put  func(s *shelf)
	want string
}

// largest is the size in bytes that the images of tricks may have.
const largest = 1 << 20

// tricks are layers, manifests and lists of images that are refused before anything of them lies on the disk for good.
func tricks() map[string]trick {
	content := disk(10, 1)
	web := file("disk/web.img", content)
	huge := web
	huge.Size = largest + 512
	return map[string]trick{
		"none":           {func(s *shelf) { s.has(file("root/web.img", content)) }, "no file in the folder /disk"},
		"an empty one":   {func(s *shelf) { s.has() }, "no file in the folder /disk"},
		"two":            {func(s *shelf) { s.has(web, file("disk/b.img", content)) }, `two files in the folder /disk, "disk/web.img" and "disk/b.img"`},
		"the same twice": {func(s *shelf) { s.has(web, web) }, "two files in the folder /disk"},
		"a symlink":      {func(s *shelf) { s.has(link(tar.TypeSymlink, "disk/web.img", "/etc/shadow")) }, "/disk/web.img is a symbolic link"},
		"a hard link":    {func(s *shelf) { s.has(file("a", content), link(tar.TypeLink, "disk/web.img", "a")) }, "/disk/web.img is a hard link"},
		"a symlink beside": {
			func(s *shelf) { s.has(web, link(tar.TypeSymlink, "disk/x", "/etc/shadow")) }, "/disk/x is a symbolic link",
		},
		"a device":                {func(s *shelf) { s.has(link(tar.TypeBlock, "disk/web.img", "")) }, "/disk/web.img is a device"},
		"a pipe":                  {func(s *shelf) { s.has(link(tar.TypeFifo, "disk/web.img", "")) }, "/disk/web.img is a pipe"},
		"a folder that is a link": {func(s *shelf) { s.has(link(tar.TypeSymlink, "disk", "/etc"), web) }, "/disk is a symbolic link"},
		"a folder that is a file": {func(s *shelf) { s.has(file("disk", content)) }, "/disk is a file in the image"},
		"a way out":               {func(s *shelf) { s.has(file("disk/../../etc/cron.d/x", content)) }, "leads out of the image"},
		"a way out, later":        {func(s *shelf) { s.has(web, file("../../etc/cron.d/x", content)) }, "leads out of the image"},
		"one too large": {func(s *shelf) {
			s.image("1", s.layer(typeGzip, gzipped(s.t, headerOf(s.t, huge))))
		}, "has 1049088 bytes; at most 1048576 are allowed"},
		"16 EiB": {func(s *shelf) {
			vast := web
			vast.Size = 1<<63 - 1
			s.image("1", s.layer(typeGzip, gzipped(s.t, headerOf(s.t, vast))))
		}, "has 9223372036854775807 bytes"},
		"a bomb": {func(s *shelf) {
			s.image("1", s.layer(typeGzip, gzipped(s.t, tarOf(s.t, file("zero", make([]byte, 3*largest)), web))))
		}, "unpacks to more than 1048576 bytes"},
		"a bomb after the disk": {func(s *shelf) {
			s.image("1", s.layer(typeZstd, zstandard(s.t, tarOf(s.t, web, file("zero", make([]byte, 3*largest))))))
		}, "unpacks to more than 1048576 bytes"},
		"a bomb of layers": {func(s *shelf) {
			l := s.layer(typeGzip, gzipped(s.t, tarOf(s.t, file("zero", make([]byte, largest/2)))))
			s.image("1", l, l, l, l)
		}, "unpacks to more than 1048576 bytes"},
		"large layers": {func(s *shelf) {
			s.image("1", descriptor{MediaType: typeTar, Digest: digestOf(nil), Size: largest}, descriptor{MediaType: typeTar, Digest: digestOf(nil), Size: 1})
		}, "the layers of the image have more than 1048576 bytes"},
		"layers that overflow": {func(s *shelf) {
			d := descriptor{MediaType: typeTar, Digest: digestOf(nil), Size: 1<<63 - 1}
			s.image("1", d, d, d)
		}, "the layers of the image have more than 1048576 bytes"},
		"a negative layer": {func(s *shelf) {
			s.image("1", descriptor{MediaType: typeTar, Digest: digestOf(nil), Size: -1})
		}, "the layers of the image have more than"},
		"many layers": {func(s *shelf) {
			s.image("1", make10(descriptor{MediaType: typeTar, Digest: digestOf(nil)})...)
		}, "the image has 1000 layers"},
		"no layers": {func(s *shelf) { s.image("1") }, "the image has 0 layers"},
		"removed above": {func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, web)), s.layer(typeTar, tarOf(s.t, file("disk/.wh.web.img", nil))))
		}, "no file in the folder /disk"},
		"a folder removed above": {func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, web)), s.layer(typeTar, tarOf(s.t, file(".wh.disk", nil))))
		}, "no file in the folder /disk"},
		"many removed above": {func(s *shelf) {
			var entries []entry
			for i := range 1500 {
				entries = append(entries, file(fmt.Sprintf("disk/.wh.%d", i), nil))
			}
			s.image("1", s.layer(typeTar, tarOf(s.t, web)), s.layer(typeGzip, gzipped(s.t, tarOf(s.t, entries...))))
		}, "remove or replace more than"},
		"a folder made opaque": {func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, web)), s.layer(typeTar, tarOf(s.t, file("disk/.wh..wh..opq", nil))))
		}, "no file in the folder /disk"},
		"all made opaque": {func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, web)), s.layer(typeTar, tarOf(s.t, file(".wh..wh..opq", nil))))
		}, "no file in the folder /disk"},
		"a folder in its place": {func(s *shelf) {
			s.image("1", s.layer(typeTar, tarOf(s.t, web)), s.layer(typeTar, tarOf(s.t, link(tar.TypeDir, "disk/web.img/", ""))))
		}, "no file in the folder /disk"},
		"no tar file":    {func(s *shelf) { s.image("1", s.layer(typeTar, content)) }, "no tar file that could be read"},
		"a tar file cut": {func(s *shelf) { s.image("1", s.layer(typeTar, tarOf(s.t, web)[:2000])) }, "no tar file that could be read"},
		"gzip cut": {func(s *shelf) {
			l := gzipped(s.t, tarOf(s.t, web))
			s.image("1", s.layer(typeGzip, l[:len(l)/2]))
		}, "no tar file that could be read"},
		"zstd of nonsense": {func(s *shelf) {
			s.image("1", s.layer(typeZstd, append([]byte{0x28, 0xb5, 0x2f, 0xfd}, content...)))
		}, "no tar file that could be read"},
		"a layer of another type": {func(s *shelf) {
			s.image("1", s.layer("application/vnd.example.model", tarOf(s.t, web)))
		}, `of the type "application/vnd.example.model"`},
		"a backing file": {func(s *shelf) { s.has(file("disk/web.img", hostile())) }, "backing file"},
		"another platform": {func(s *shelf) {
			arm := s.image("arm", s.layer(typeTar, tarOf(s.t, web)))
			arm.Platform = &platform{"linux", "arm64"}
			s.index("1", arm)
		}, "linux/amd64 is not one of them"},
		"lists in lists": {func(s *shelf) { s.index("1", s.index("2", s.index("3", s.index("4")))) }, "a list of lists"},
		"a list of itself and more": {func(s *shelf) {
			s.manifest("1", map[string]any{"schemaVersion": 2, "manifests": []descriptor{{Digest: digestOf(nil)}}, "layers": []descriptor{{Digest: digestOf(nil)}}})
		}, "both of an image and of a list"},
		"an old manifest":      {func(s *shelf) { s.manifest("1", map[string]any{"schemaVersion": 1}) }, "of version 1; only 2 is understood"},
		"no manifest":          {func(s *shelf) { s.manifests["1"] = []byte("<html>") }, "something that is no manifest"},
		"a manifest of 100 MB": {func(s *shelf) { s.manifests["1"] = make([]byte, 100<<20) }, "the manifest of the image has more than 4194304 bytes"},
		"an unknown digest": {func(s *shelf) {
			s.image("1", descriptor{MediaType: typeTar, Digest: "md5:d41d8cd98f00b204e9800998ecf8427e"})
		}, "something that is no manifest"},
		"no such tag": {func(_ *shelf) {}, "404 Not Found: there is no such image"},
	}
}

// refusedTricks tries them all and returns how many there are.
func refusedTricks(t *testing.T) int {
	t.Helper()
	all := tricks()
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(t), newShelf(t)
				c.put(s)
				w.origin.does(s.ServeHTTP)
				cloud := w.start(nil, func(_ *artifact.Deps, b *blob.Deps) { b.Limits.Bytes = largest }).withNamespaces()
				a, err := cloud.fetched("oci+http://who:hush@registry.test/disks/web:1")
				require.ErrorIs(t, err, fault.Invalid)
				require.Equal(t, artifact.Error, a.State)
				require.Contains(t, a.Error, "fetch image oci+http://registry.test/disks/web:1")
				require.Contains(t, a.Error, c.want)
				require.NotContains(t, a.Error, "hush")
				synctest.Wait()
				require.Empty(t, w.files())
			})
		})
	}
	return len(all)
}

func TestAHostileImageIsRefused(t *testing.T) {
	t.Parallel()
	refusedTricks(t)
}

// headerOf returns the beginning of a layer, up to the content of an entry.
func headerOf(t *testing.T, e entry) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, tar.NewWriter(&b).WriteHeader(&e.Header))
	return b.Bytes()
}

func make10(d descriptor) []descriptor {
	all := make([]descriptor, 1000)
	for n := range all {
		all[n] = d
	}
	return all
}

func TestWhatARegistrySendsIsHeldToItsDigests(t *testing.T) {
	t.Parallel()
	content := disk(300, 1)
	cases := map[string]struct {
		spoil func(s *shelf, layer descriptor)
		want  string
	}{
		"another layer": {func(s *shelf, l descriptor) { s.blobs[l.Digest] = tarOf(s.t, file("disk/web.img", disk(300, 2))) }, "a layer that came has the digest"},
		"the last byte": {func(s *shelf, l descriptor) {
			b := bytes.Clone(s.blobs[l.Digest])
			b[len(b)-1] ^= 1
			s.blobs[l.Digest] = b
		}, "a layer that came has the digest"},
		"no tar file at all": {func(s *shelf, l descriptor) { s.blobs[l.Digest] = make([]byte, l.Size)[:l.Size-1] }, "the registry has a layer of"},
		"less":               {func(s *shelf, l descriptor) { s.blobs[l.Digest] = s.blobs[l.Digest][:l.Size/2] }, "the registry has a layer of"},
		"more":               {func(s *shelf, l descriptor) { s.blobs[l.Digest] = append(bytes.Clone(s.blobs[l.Digest]), 0) }, "the registry has a layer of"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(t), newShelf(t)
				l := s.layer(typeTar, tarOf(t, file("disk/web.img", content)))
				s.image("1", l)
				c.spoil(s, l)
				w.origin.does(s.ServeHTTP)
				cloud := w.start(nil).withNamespaces()
				a, err := cloud.fetched(imageOCI)
				require.ErrorIs(t, err, fault.Unavailable)
				require.Contains(t, a.Error, c.want)
				synctest.Wait()
				require.Empty(t, w.files())
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		image := s.image("1", s.layer(typeTar, tarOf(t, file("disk/web.img", content))))
		s.manifests[image.Digest] = append(s.manifests[image.Digest], '\n')
		w.origin.does(s.ServeHTTP)
		a, err := w.start(nil).withNamespaces().fetched("oci+http://registry.test/disks/web:9@" + image.Digest)
		require.ErrorIs(t, err, fault.Unavailable)
		require.Contains(t, a.Error, "the manifest that came has the digest")
	})
}

func TestAnImageIsFetchedByDigest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		content := disk(300, 1)
		image := s.image("1", s.layer(typeTar, tarOf(t, file("disk/web.img", content))))
		delete(s.manifests, "1")
		w.origin.does(s.ServeHTTP)
		cloud := w.start(nil).withNamespaces()
		a, err := cloud.fetched("oci+http://registry.test/disks/web@" + image.Digest)
		require.NoError(t, err)
		cloud.requireDisk(a, content)
		require.Equal(t, "web", a.Name)
	})
}

func TestABrokenLayerGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	for name, ranges := range map[string]bool{"by parts": true, "from its beginning": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(t), newShelf(t)
				content := disk(3000, 1)
				layer := s.layer(typeGzip, gzipped(t, tarOf(t, file("disk/web.img", content))))
				s.image("1", layer)
				cuts := 0
				w.origin.does(func(out http.ResponseWriter, r *http.Request) {
					if !ranges {
						r.Header.Del("Range")
					}
					if cuts < 9 && r.URL.Path == "/v2/disks/web/blobs/"+layer.Digest {
						cuts++
						out = &cutting{ResponseWriter: out, left: int(layer.Size) / 10 * (1 + cuts*btoi(!ranges))}
					}
					s.ServeHTTP(out, r)
				})
				cloud := w.start(nil).withNamespaces()
				a, err := cloud.fetched(imageOCI)
				require.NoError(t, err)
				cloud.requireDisk(a, content)
				require.Equal(t, 9, cuts)
				require.Equal(t, ranges, len(s.ranges) == 10 && s.ranges[9] != "")
				require.NotContains(t, cloud.messages(a.ID), "image source failed, trying again")
			})
		})
	}
}

// cutting breaks the connection off after so many bytes.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b[:min(len(b), c.left)])
	if c.left -= n; c.left <= 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
