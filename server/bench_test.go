package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkLists measures requests on a cloud of 100 instances with an interface each, without the network between.
func BenchmarkLists(b *testing.B) {
	l := newLab(b)
	l.makeNetwork("demo", "lan")
	for range 100 {
		l.makeInstance("demo", map[string]any{"network_uuid": "lan"})
	}
	handler := New(l.cloud, Options{})
	token := "Bearer " + l.token("demo")
	for _, path := range []string{"/", "/instances", "/networks", "/networks/lan/interfaces"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.Header.Set("Authorization", token)
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
