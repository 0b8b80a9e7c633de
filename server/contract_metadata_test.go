package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// metadataRows walks through the four routes of each kind of object that has metadata.
func (l *lab) metadataRows() {
	l.t.Helper()
	net := l.makeNetwork("demo", "lan")
	vm := l.makeInstance("demo", fields{"network_uuid": net})
	image := get[api.Artifact](l, http.MethodPost, "/artifacts", "demo", fields{"url": l.images + "/disk"}).UUID
	l.waitArtifact(image)
	blob := get[api.Artifact](l, http.MethodGet, "/artifacts/"+image, "demo", nil).BlobUUID
	for _, of := range []struct{ kind, path, as string }{
		{"instance", "/instances/web1", "demo"},
		{"network", "/networks/lan", "demo"},
		{"interface", "/interfaces/" + l.interfaceOf(vm), "demo"},
		{"artifact", "/artifacts/disk", "demo"},
		{"namespace", "/auth/namespaces/demo", "demo"},
		{"blob", "/blobs/" + blob, "system"},
		{"node", "/nodes/node-1", "system"},
	} {
		l.metadataOf(of.kind, of.path+"/metadata", of.as)
	}
	for _, path := range []string{"/instances/web1/metadata"} {
		for _, c := range []struct {
			key   string
			value any
			words string
		}{
			{"tags", "web", `value for "tags" key should be a JSON list`},
			{"affinity", []any{1}, "affinity"},
			{"affinity", fields{"web": "much"}, "affinity"},
		} {
			l.refuse(400, c.words, http.MethodPost, path, "demo", fields{"key": c.key, "value": c.value})
			l.refuse(400, c.words, http.MethodPut, path+"/"+c.key, "demo", fields{"value": c.value})
		}
		l.send(http.MethodPut, path+"/affinity", "demo", fields{"value": fields{"web": "-5", "db": 3}})
		l.send(http.MethodPut, path+"/tags", "demo", fields{"value": []any{"web"}})
		l.golden("instance-metadata-reserved", http.MethodGet, path, "demo", nil)
	}
}

func (l *lab) metadataOf(kind, path, as string) {
	l.t.Helper()
	named := kind + "-metadata"
	l.golden(named+"-empty", http.MethodGet, path, as, nil)
	l.golden(named+"-set", http.MethodPost, path, as, fields{"key": "colour", "value": "red"})
	l.refuse(400, "no key specified", http.MethodPost, path, as, fields{"value": "red"})
	l.refuse(400, "no key specified", http.MethodPost, path, as, fields{"key": "", "value": "red"})
	l.golden(named+"-replace", http.MethodPut, path+"/deep", as, fields{"value": fields{"list": []any{1, 2.5, 9007199254740993, nil}}})
	l.golden(named+"-replace", http.MethodPut, path+"/a%2Fb%20c", as, fields{"value": true})
	for _, empty := range []any{nil, "", 0, false, []any{}, fields{}} {
		l.refuse(400, "no value specified", http.MethodPost, path, as, fields{"key": "colour", "value": empty})
		l.refuse(400, "no value specified", http.MethodPut, path+"/colour", as, fields{"value": empty})
	}
	l.golden(named, http.MethodGet, path, as, nil)
	if a := l.send(http.MethodGet, path, as, nil, oldGo()...); kind != "" {
		for key, value := range decode200[map[string]any](l, a) {
			if _, text := value.(string); !text {
				l.t.Errorf("%s: the old Go client gets %s = %v, which is no text", path, key, value)
			}
		}
	}
	for _, key := range []string{"colour", "deep", "a%2Fb%20c"} {
		l.golden(named+"-delete", http.MethodDelete, path+"/"+key, as, nil)
	}
	l.golden(named+"-delete-again", http.MethodDelete, path+"/colour", as, nil)
	l.golden(named+"-empty", http.MethodGet, path, as, nil)
}
