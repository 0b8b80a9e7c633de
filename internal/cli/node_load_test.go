package cli

import (
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
)

func TestProcessesThatUseMuchCPUAreAFailure(t *testing.T) {
	t.Parallel()
	s := &shelf{t: t, answers: map[string]any{
		"GET /nodes": []api.Node{{Name: "node-1"}, {Name: "node-2"}, {Name: "node-3"}}, // node-3 is gone when it is asked
		"GET /nodes/node-1/processmetrics": map[string]float64{
			"process_cpu_fraction_sf-api": 0.31, "process_age_sf-api": 500, "process_cpu_fraction_sf-net": 0.25, "process_cpu_fraction_sf-queues": 0.9,
		},
		"GET /nodes/node-2/processmetrics": map[string]float64{},
	}}
	url := s.serve()
	code, stdout, stderr := run(t, url, "node", "cpuhogs")
	want := "sf-api on node node-1 has consumed 0.31 of a CPU, threshold is 0.25\n" +
		"sf-queues on node node-1 has consumed 0.90 of a CPU, threshold is 0.25\n"
	if code != exitFailure || stdout != want || stderr != "2 processes use more than 0.25 of a CPU\n" {
		t.Errorf("%d, %q, %q", code, stdout, stderr)
	}
	code, stdout, _ = run(t, url, "-o", "csv", "node", "cpuhogs", "--threshold", "0.1", "-i", "sf-api,sf-net")
	if code != exitFailure || stdout != "node,process,fraction\nnode-1,sf-queues,0.9\n" {
		t.Errorf("%d, %q", code, stdout)
	}
	code, stdout, _ = run(t, url, "--json", "node", "cpuhogs", "-t", "0.5")
	if code != exitFailure || !strings.Contains(stdout, `"process": "sf-queues"`) || strings.Contains(stdout, "sf-api") {
		t.Errorf("%d, %q", code, stdout)
	}
	code, stdout, stderr = run(t, url, "node", "cpuhogs", "-t", "1")
	if code != exitOK || stdout != "" || stderr != "" {
		t.Errorf("%d, %q, %q", code, stdout, stderr)
	}
}

func TestTheNewestResourcesOfANodeAreShown(t *testing.T) {
	t.Parallel()
	s := &shelf{t: t, answers: map[string]any{
		"GET /nodes/node-1/events": []api.Event{{Type: "resources", Extra: api.Object{"memory_max": 8192, "disk_total": 300000000000, "cpu_load_1": 0.5}}},
		"GET /nodes/node-2/events": []api.Event{},
	}}
	url := s.serve()
	code, stdout, _ := run(t, url, "--simple", "node", "resources", "node-1")
	want := "node,resource,value\nnode-1,cpu_load_1,0.5\nnode-1,disk_total,300000000000\nnode-1,memory_max,8192\n"
	if code != exitOK || stdout != want {
		t.Errorf("%d, %q", code, stdout)
	}
	code, _, stderr := run(t, url, "node", "resources", "node-2")
	if code != exitFailure || stderr != "Node node-2 has not reported its resources yet\n" {
		t.Errorf("%d, %q", code, stderr)
	}
}
