package server

import (
	"net/http"
)

// oldGo are the headers of the old Go client.
func oldGo() []string { return []string{"User-Agent", "Go-http-client/1.1"} }

func (l *lab) namespaceRows() {
	l.t.Helper()
	const path = "/auth"
	l.golden("auth", http.MethodPost, path, "", fields{"namespace": "demo", "key": "demo"})
	l.refuse(400, "missing namespace in request", http.MethodPost, path, "", nil)
	l.refuse(400, "missing key in request", http.MethodPost, path, "", fields{"namespace": "demo"})
	l.refuse(400, "key is not a string", http.MethodPost, path, "", fields{"namespace": "demo", "key": 7})
	l.refuse(401, "unauthorized", http.MethodPost, path, "", fields{"namespace": "demo", "key": "other"})
	l.refuse(404, "namespace not found", http.MethodPost, path, "", fields{"namespace": "nowhere", "key": "demo"})

	l.golden("namespace-list", http.MethodGet, "/auth/namespaces", "demo", nil)
	l.golden("namespace-list-old-go", http.MethodGet, "/auth/namespaces", "system", nil, oldGo()...)

	const all = "/auth/namespaces"
	l.golden("namespace-create", http.MethodPost, all, "system", fields{"namespace": "new"})
	l.golden("namespace-create-with-key", http.MethodPost, all, "system", fields{"namespace": "keyed", "key_name": "first", "key": "s3cret"})
	l.login("keyed", "s3cret")
	for _, c := range []struct {
		status int
		words  string
		body   fields
	}{
		{400, "no namespace specified", fields{}},
		{400, "namespace", fields{"namespace": "a/b"}},
		{403, "namespace exists", fields{"namespace": "demo"}},
		{403, "namespace exists", fields{"namespace": "system"}},
		{400, "no key specified", fields{"namespace": "bad", "key_name": "k"}},
		{400, "key is not a string", fields{"namespace": "bad", "key_name": "k", "key": 1}},
		{403, "illegal key name", fields{"namespace": "bad", "key_name": "_service_key_x", "key": "k"}},
		{403, "illegal key name", fields{"namespace": "bad", "key_name": "service_key", "key": "k"}},
	} {
		l.refuse(c.status, c.words, http.MethodPost, all, "system", c.body)
	}
	l.refuse(404, "namespace not found", http.MethodGet, all+"/bad", "system", nil) // checks come before making
	l.golden("namespace-show", http.MethodGet, all+"/demo", "demo", nil)

	l.golden("namespace-delete", http.MethodDelete, all+"/new", "system", nil)
	l.refuse(404, "namespace not found", http.MethodGet, all+"/new", "system", nil)
	l.refuse(404, "namespace not found", http.MethodDelete, all+"/new", "system", nil)
	l.golden("namespace-create", http.MethodPost, all, "system", fields{"namespace": "new"}) // again, and without keys
	l.refuse(403, "you cannot delete the system namespace", http.MethodDelete, all+"/system", "system", nil)
	l.makeNetwork("demo", "lan")
	l.refuse(400, "you cannot delete a namespace with networks", http.MethodDelete, all+"/demo", "system", nil)
	l.makeInstance("other")
	l.refuse(400, "you cannot delete a namespace with instances", http.MethodDelete, all+"/other", "system", nil)
}

func (l *lab) keyRows() {
	l.t.Helper()
	const keys = "/auth/namespaces/demo/keys"
	l.golden("key-add", http.MethodPost, keys, "demo", fields{"key_name": "second", "key": "1"})
	l.golden("key-add-again", http.MethodPost, keys, "demo", fields{"key_name": "second", "key": "2"})
	l.login("demo", "2")
	l.refuse(401, "unauthorized", http.MethodPost, "/auth", "", fields{"namespace": "demo", "key": "1"})
	l.golden("key-update", http.MethodPut, keys, "demo", fields{"key_name": "second", "key": "3"})
	l.golden("key-update-in-path", http.MethodPut, keys+"/second", "demo", fields{"key": "4"})
	l.login("demo", "4")
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		l.refuse(400, "no key name specified", method, keys, "demo", fields{"key": "k"})
		l.refuse(400, "no key specified", method, keys, "demo", fields{"key_name": "k"})
		l.refuse(400, "key is not a string", method, keys, "demo", fields{"key_name": "k", "key": []any{}})
		l.refuse(403, "illegal key name", method, keys, "demo", fields{"key_name": "_service_key_x", "key": "k"})
	}
	l.refuse(400, "no key specified", http.MethodPut, keys+"/second", "demo", nil)
	l.refuse(400, "key is not a string", http.MethodPut, keys+"/second", "demo", fields{"key": 1})
	l.refuse(403, "illegal key name", http.MethodPut, keys+"/_service_key_x", "demo", fields{"key": "k"})
	l.refuse(404, "key does not exist", http.MethodPut, keys, "demo", fields{"key_name": "third", "key": "k"})
	l.refuse(404, "key does not exist", http.MethodPut, keys+"/third", "demo", fields{"key": "k"})
	l.golden("key-list", http.MethodGet, keys, "demo", nil)
	l.golden("key-delete", http.MethodDelete, keys+"/second", "demo", nil)
	l.refuse(404, "key name not found in namespace", http.MethodDelete, keys+"/second", "demo", nil)
}

func (l *lab) trustRows() {
	l.t.Helper()
	const trust = "/auth/namespaces/demo/trust"
	l.refuse(404, "namespace not found", http.MethodGet, "/auth/namespaces/demo", "other", nil)
	l.golden("trust-add", http.MethodPost, trust, "demo", fields{"external_namespace": "other"})
	l.golden("trust-add-again", http.MethodPost, trust, "demo", fields{"external_namespace": "other"})
	l.refuse(400, "no external namespace specified", http.MethodPost, trust, "demo", nil)
	l.send(http.MethodPost, trust, "demo", fields{"external_namespace": "not-made-yet"})
	l.golden("namespace-show-trusted", http.MethodGet, "/auth/namespaces/demo", "other", nil)
	l.golden("trust-remove", http.MethodDelete, trust+"/other", "demo", nil)
	l.golden("trust-remove-again", http.MethodDelete, trust+"/other", "demo", nil)
	l.golden("trust-remove-system", http.MethodDelete, trust+"/system", "demo", nil)
	l.refuse(404, "namespace not found", http.MethodGet, "/auth/namespaces/demo", "other", nil)
}
