package cloudtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
)

// caller is a client of the API with a connection of its own, which stays open. It reads answers and does not decode them,
// so that little of what is measured is its own work.
type caller struct {
	base, token string
	http        *http.Client
}

func newCaller(base string) *caller {
	return &caller{base: base, http: &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}}}
}

// as returns a new caller with a token of the namespace, whose key has its name.
func as(t testing.TB, base, namespace string) *caller {
	t.Helper()
	c := newCaller(base)
	body, err := c.call(t.Context(), http.MethodPost, api.PathAuth, api.Auth{Namespace: namespace, Key: namespace})
	require.NoError(t, err)
	var token api.Token
	require.NoError(t, json.Unmarshal(body, &token))
	c.token = token.AccessToken
	return c
}

// call returns the body of an answer with status 200.
func (c *caller) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var b bytes.Buffer
	err := c.into(ctx, &b, method, path, body)
	return b.Bytes(), err
}

func (c *caller) into(ctx context.Context, w io.Writer, method, path string, body any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "figures")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	if _, err := io.Copy(w, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return nil
}

// get is an operation that reads a path.
func get(path string) operation {
	return func(ctx context.Context, c *caller) error { return c.into(ctx, io.Discard, http.MethodGet, path, nil) }
}

// operation is what is measured.
type operation func(context.Context, *caller) error

// createAndDeleteNetwork asks for a network and for its end, without waiting for either to be made true.
func createAndDeleteNetwork(ctx context.Context, c *caller) error {
	name := "passing"
	body, err := c.call(ctx, http.MethodPost, api.PathNetworks, api.CreateNetwork{Name: &name, Netblock: "10.9.0.0/24"})
	if err != nil {
		return err
	}
	var n api.Network
	if err := json.Unmarshal(body, &n); err != nil {
		return err
	}
	_, err = c.call(ctx, http.MethodDelete, strings.Replace(api.PathNetwork, "{ref}", n.UUID, 1), nil)
	return err
}

func login(name, secret string) operation {
	return func(ctx context.Context, c *caller) error {
		_, err := c.call(ctx, http.MethodPost, api.PathAuth, api.Auth{Namespace: name, Key: secret})
		return err
	}
}
