package server

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/store"
)

// metrics are the figures of one server. They have a registry of their own, so that a program can hold several clouds,
// and name no tenant: whoever scrapes them needs no token.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(cloud *shakenfist.Cloud, s store.Counter, release string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "shakenfist_http_request_duration_seconds", Help: "Time to answer requests of the REST API, and by _count how many there were.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 15, 60},
		}, []string{"method", "route", "status"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "shakenfist_build_info", Help: "Always 1; the labels tell which program runs.",
		ConstLabels: prometheus.Labels{"release": release, "go": runtime.Version()},
	})
	build.Set(1)
	compares := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "shakenfist_key_compares_total", Help: "How often a secret was compared with a key's hash, which is what logins cost.",
	}, func() float64 { return float64(cloud.Namespaces.Compares()) })
	m.registry.MustRegister(m.requests, build, compares, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newCloudCollector(cloud), nodeCollector{cloud})
	if s != nil {
		m.registry.MustRegister(newStoreCollector(s))
	}
	return m
}

func (m *metrics) observe(r *http.Request, status int, took time.Duration) {
	pattern := r.Pattern // what ServeMux found
	switch pattern {
	case "/", "":
		pattern = "other"
	case exact("/"):
		pattern = "/"
	}
	m.requests.WithLabelValues(knownMethod(r.Method), pattern, strconv.Itoa(status)).Observe(took.Seconds())
}

// knownMethod keeps callers from filling the memory with methods that they make up.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// showMetrics answers in the text format of Prometheus.
func (s *server) showMetrics(*call) (any, error) {
	families, err := s.metrics.registry.Gather()
	if err != nil {
		return nil, fault.Because("server.metrics", fault.Internal, "", err, "gathering metrics")
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, format)
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			return nil, fault.Because("server.metrics", fault.Internal, "", err, "encoding metrics")
		}
	}
	return raw{contentType: string(format), body: b.Bytes()}, nil
}

// storeCollector shows what the state store was asked to do.
type storeCollector struct {
	store      store.Counter
	operations *prometheus.Desc
}

func newStoreCollector(s store.Counter) storeCollector {
	return storeCollector{s, prometheus.NewDesc("shakenfist_store_operations_total",
		"What the state store was asked to do since the process began.", []string{"operation"}, nil)}
}

// Describe implements prometheus.Collector.
func (c storeCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.operations }

// Collect implements prometheus.Collector.
func (c storeCollector) Collect(out chan<- prometheus.Metric) {
	s := c.store.Stats()
	for name, n := range map[string]uint64{
		"get": s.Gets, "list": s.Lists, "commit": s.Commits, "conflict": s.Conflicts,
		"watch_event": s.WatchEvents, "lease_renewal": s.LeaseRenewals,
	} {
		out <- prometheus.MustNewConstMetric(c.operations, prometheus.CounterValue, float64(n), name)
	}
}

// cloudCollector shows what the cloud holds and has room for. It reads memory only.
type cloudCollector struct {
	cloud                                *shakenfist.Cloud
	instances                            *prometheus.Desc // by state
	up, cpus, memory, diskSize, diskFree *prometheus.Desc // by node
}

func newCloudCollector(cloud *shakenfist.Cloud) cloudCollector {
	gauge := func(name, help, label string) *prometheus.Desc {
		return prometheus.NewDesc("shakenfist_"+name, help, []string{label}, nil)
	}
	return cloudCollector{
		cloud:     cloud,
		instances: gauge("instances", "Instances by state.", "state"),
		up:        gauge("node_up", "Whether the node takes part: 1 in state created, 0 in any other.", "node"),
		cpus:      gauge("node_cpus", "Threads of the node.", "node"),
		memory:    gauge("node_memory_bytes", "Memory of the node.", "node"),
		diskSize:  gauge("node_disk_bytes", "Size of the file system with the node's files.", "node"),
		diskFree:  gauge("node_disk_free_bytes", "Free space there.", "node"),
	}
}

// Describe implements prometheus.Collector.
func (c cloudCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.instances, c.up, c.cpus, c.memory, c.diskSize, c.diskFree} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c cloudCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
	}
	for state, n := range c.cloud.Instances.Count() {
		gauge(c.instances, float64(n), string(state))
	}
	for _, n := range c.cloud.Nodes.List(context.Background()) {
		up := 0.0
		if n.State == node.Created {
			up = 1
		}
		gauge(c.up, up, n.Name)
		gauge(c.cpus, float64(n.CPUs), n.Name)
		gauge(c.memory, float64(n.MemoryMiB)*(1<<20), n.Name)
		gauge(c.diskSize, float64(n.DiskTotal), n.Name)
		gauge(c.diskFree, float64(n.DiskFree), n.Name)
	}
}

// nodeCollector shows what this node has and uses, under the names that dashboards have always had for it, which need no
// label: every node is asked for its own.
type nodeCollector struct{ cloud *shakenfist.Cloud }

// Describe implements prometheus.Collector. It describes nothing, which is how a collector says that it makes no promise.
func (nodeCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c nodeCollector) Collect(out chan<- prometheus.Metric) {
	figures, err := c.cloud.Figures(context.Background(), c.cloud.Nodes.Name())
	if err != nil {
		return // the node has not joined yet
	}
	for name := range figures {
		desc := prometheus.NewDesc(name, "What this node has or uses: "+strings.ReplaceAll(name, "_", " ")+".", nil, nil)
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, figures.Number(name))
	}
}
