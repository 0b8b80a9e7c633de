package client

import "runtime/debug"

const module = "github.com/shakenfist/shakenfist"

// Version returns the version of this module in the running program, without the leading v: "0.8.0", or "devel" if it
// was built from a working tree.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return versionIn(info)
}

func versionIn(info *debug.BuildInfo) string {
	version := ""
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == module {
			version = m.Version
		}
	}
	if version == "" || version == "(devel)" {
		return "devel"
	}
	if version[0] == 'v' {
		version = version[1:]
	}
	return version
}

// UserAgent returns what the client calls itself. Servers treat clients that send the default of Go's HTTP library as
// a much older one, so it is never that.
func UserAgent() string { return "shakenfist-go/" + Version() }
