package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/namespace"
)

// asIssued are the claims of a token that the server gave out.
func asIssued(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c jwt.MapClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Each of these would be a good token but for one thing.
func TestTamperedTokensAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	good := l.token("demo")
	secret, err := l.cloud.Namespaces.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(m jwt.SigningMethod, key any) string {
		token, err := jwt.NewWithClaims(m, asIssued(t, good)).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	claim := func(name string, value any) string {
		return forge(t, l, func(c jwt.MapClaims) { c[name] = value })
	}
	parts := strings.Split(good, ".")
	system := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(decoded(t, parts[1]), `"demo"`, `"system"`, 1)))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	for name, token := range map[string]string{
		"no algorithm":                  sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"no algorithm, signed":          none + "." + parts[1] + "." + parts[2],
		"no algorithm, no signature":    none + "." + parts[1] + ".",
		"a longer hash":                 sign(jwt.SigningMethodHS512, secret),
		"another shorter hash":          sign(jwt.SigningMethodHS384, secret),
		"a key pair":                    sign(jwt.SigningMethodES256, pair),
		"the seal's key":                sign(jwt.SigningMethodHS256, []byte("")),
		"other claims":                  parts[0] + "." + system + "." + parts[2],
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"no signature at all":           parts[0] + "." + parts[1],
		"a shorter signature":           good[:len(good)-2],
		"one part more":                 good + ".e30",
		"padding":                       good + "=",
		"expired just now":              claim("exp", time.Now().Add(-time.Second).Unix()),
		"expired, in words":             claim("exp", "never"),
		"expired, in a list":            claim("exp", []any{time.Now().Add(time.Hour).Unix()}),
		"valid from tomorrow":           claim("nbf", time.Now().Add(24*time.Hour).Unix()),
		"valid from, in words":          claim("nbf", "now"),
		"another issuer":                claim("iss", "shakenfist2"),
		"no issuer":                     claim("iss", nil),
		"issuers":                       claim("iss", []string{"shakenfist"}),
		"a subject as text":             claim("sub", "demo/deploy"),
		"a subject as object":           claim("sub", map[string]any{"0": "demo", "1": "deploy"}),
		"a subject of numbers":          claim("sub", []any{1, 2}),
		"a subject of three":            claim("sub", []any{"demo", "deploy", "system"}),
		"no subject":                    claim("sub", nil),
		"an empty subject":              claim("sub", []any{"", ""}),
		"a nonce as number":             claim("nonce", 7),
		"no nonce":                      claim("nonce", nil),
		"an empty nonce":                claim("nonce", ""),
		"half a nonce":                  claim("nonce", asIssued(t, good)["nonce"].(string)[:8]), //nolint:errcheck,forcetypeassert // a test
		"another type":                  claim("type", "refresh"),
		"no type":                       claim("type", nil),
		"a hundred kilobytes":           claim("more", strings.Repeat("x", 100<<10)) + "x",
		"a hundred kilobytes of no JWT": strings.Repeat("x", 100<<10),
		"a hundred thousand dots":       strings.Repeat(".", 100<<10),
		"nothing but dots":              "..",
	} {
		a := l.send(http.MethodGet, "/instances", "", nil, "Authorization", "Bearer "+token)
		if a.status != http.StatusUnauthorized || len(a.body) > 500 {
			t.Errorf("%s: %d, %d bytes: %.200s", name, a.status, len(a.body), a.body)
		}
		if text := errorText(a.body); text == "" || strings.HasPrefix(text, "server.") {
			t.Errorf("%s: the text is %q", name, text)
		}
	}
	if log := l.log.String(); strings.Contains(log, parts[2]) || strings.Contains(log, parts[1]) {
		t.Error("a token is in the log")
	}
	for name, token := range map[string]string{"as issued": good, "with more claims": claim("more", strings.Repeat("x", 1<<10))} {
		if a := l.send(http.MethodGet, "/instances", "", nil, "Authorization", "bearer  "+token); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func decoded(t *testing.T, part string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestATokenIsGoodAtOnceOnANodeWhoseClockIsBehind(t *testing.T) {
	t.Parallel()
	secret := []byte("secret")
	made, err := (&server{zone: "zone", tokenLife: time.Minute}).token(namespace.Login{Namespace: "demo", Key: "deploy"}, secret)
	require.NoError(t, err)
	read := func(behind time.Duration) error {
		clock := jwt.WithTimeFunc(func() time.Time { return time.Now().Add(-behind) })
		_, err := jwt.NewParser(clock).ParseWithClaims(made.AccessToken, &claims{}, func(*jwt.Token) (any, error) { return secret, nil })
		return err
	}
	require.NoError(t, read(0))
	require.NoError(t, read(4*time.Second))
	require.ErrorIs(t, read(time.Minute), jwt.ErrTokenNotValidYet)
}
