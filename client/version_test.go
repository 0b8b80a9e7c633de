package client

import (
	"runtime/debug"
	"testing"
)

func TestVersionIsThatOfThisModule(t *testing.T) {
	t.Parallel()
	for want, info := range map[string]debug.BuildInfo{
		"devel": {Main: debug.Module{Path: module, Version: "(devel)"}},
		"1.2.3": {Main: debug.Module{Path: "example.com/tool", Version: "v9.0.0"}, Deps: []*debug.Module{{Path: module, Version: "v1.2.3"}}},
		"0.8.0": {Main: debug.Module{Path: module, Version: "v0.8.0"}},
	} {
		if got := versionIn(&info); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
