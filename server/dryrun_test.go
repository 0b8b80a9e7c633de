package server

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
)

func TestADryRunAnswersWithVerdictsAndWritesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeNetwork("demo", "lan")
	l.makeInstance("demo", map[string]any{"network_uuid": "lan", "address": "10.0.0.7"})
	l.loops.Lock()
	defer l.loops.Unlock()
	before := l.revision()
	body := blankInstance(map[string]any{"network_uuid": "lan"})
	fits := get[api.DryRun](l, http.MethodPost, "/instances?dry_run=true", "demo", body)
	if fits.Node == nil || *fits.Node != "node-1" || len(fits.Verdicts) != 1 || !fits.Verdicts[0].Fits ||
		!strings.HasPrefix(fits.Verdicts[0].Reason, "has 2047 of 2048 vCPUs, ") {
		t.Errorf("got %+v", fits)
	}
	body["dry_run"], body["memory"] = true, 1<<29
	none := get[api.DryRun](l, http.MethodPost, "/instances", "demo", body)
	if none.Node != nil || len(none.Verdicts) != 1 || none.Verdicts[0].Fits ||
		!strings.HasPrefix(none.Verdicts[0].Reason, "needs 536870912 MiB, one instance can have at most ") {
		t.Errorf("got %+v", none)
	}

	for _, c := range []struct {
		name   string
		change map[string]any
		status int
		words  string
	}{
		{"a wrong value", map[string]any{"cpus": 0}, http.StatusBadRequest, "cpus is 0"},
		{"no such network", map[string]any{"network": []any{map[string]any{"network_uuid": "wan"}}}, http.StatusNotFound, "network not found"},
		{"no such node", map[string]any{"placed_on": "node-9"}, http.StatusNotFound, `no node is named "node-9"`},
		{"an address in use", map[string]any{"network": []any{map[string]any{"network_uuid": "lan", "address": "10.0.0.7"}}}, http.StatusConflict, "in use"},
		{"another's namespace", map[string]any{"namespace": "other"}, http.StatusNotFound, "namespace not found"},
	} {
		body := blankInstance()
		maps.Copy(body, c.change)
		tried := l.send(http.MethodPost, "/instances?dry_run=1", "demo", body)
		l.wantError(tried, c.status, c.words)
		made := l.send(http.MethodPost, "/instances", "demo", body)
		if string(made.body) != string(tried.body) {
			t.Errorf("%s: a dry run answers %s, a create %s", c.name, tried.body, made.body)
		}
	}
	if after := l.revision(); after != before {
		t.Errorf("the store went from revision %d to %d", before, after)
	}
}
