package server

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shakenfist/shakenfist/api"
)

func TestLoginAnswersWithAToken(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	got := get[api.Token](l, http.MethodPost, "/auth", "", api.Auth{Namespace: "demo", Key: "demo"})
	if got.TokenType != "Bearer" || got.ExpiresIn != 900 {
		t.Errorf("got %+v", got)
	}
	parts := strings.Split(got.AccessToken, ".")
	header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	payload, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	if err1 != nil || err2 != nil || string(header) != `{"alg":"HS256","typ":"JWT"}` {
		t.Fatalf("header %s (%v, %v)", header, err1, err2)
	}
	want := regexp.MustCompile(`^\{"sub":\["demo","deploy"\],"iss":"shakenfist","nonce":"[A-Z2-7]{16}",` +
		`"iat":(\d{10}),"nbf":\d{10},"exp":(\d{10}),"jti":"[0-9a-f-]{36}","type":"access","fresh":false\}$`)
	if !want.Match(payload) {
		t.Errorf("claims %s", payload)
	}
}

func TestLoginErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, c := range []struct {
		name, body string
		status     int
		words      string
	}{
		{"nothing", ``, 400, "missing namespace in request"},
		{"no namespace", `{"key": "x"}`, 400, "missing namespace in request"},
		{"an empty namespace", `{"namespace": "", "key": "x"}`, 400, "missing namespace in request"},
		{"an unknown namespace", `{"namespace": "nowhere", "key": "x"}`, 404, "namespace not found"},
		{"no key", `{"namespace": "demo"}`, 400, "missing key in request"},
		{"a null key", `{"namespace": "demo", "key": null}`, 400, "missing key in request"},
		{"an empty key", `{"namespace": "demo", "key": ""}`, 400, "missing key in request"},
		{"a number", `{"namespace": "demo", "key": 7}`, 400, "key is not a string"},
		{"a wrong key", `{"namespace": "demo", "key": "wrong"}`, 401, "unauthorized"},
		{"another namespace's key", `{"namespace": "demo", "key": "other"}`, 401, "unauthorized"},
	} {
		l.wantError(l.send(http.MethodPost, "/auth", "", c.body), c.status, c.words)
	}
	if strings.Contains(l.log.String(), "wrong") {
		t.Error("a secret is in the log")
	}
}

// forge signs claims as the server would, but for the changes.
func forge(t testing.TB, l *lab, change func(jwt.MapClaims)) string {
	t.Helper()
	var claims jwt.MapClaims
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(l.token("demo"), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	change(claims)
	secret, err := l.cloud.Namespaces.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokensAreChecked(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{}).SignedString([]byte("another secret"))
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) string {
		return "Bearer " + forge(t, l, func(c jwt.MapClaims) { c[name] = value })
	}
	for _, c := range []struct{ name, header, words string }{
		{"no header", "", "Missing Authorization Header"},
		{"another scheme", "Basic ZGVtbzpkZW1v", "Bearer"},
		{"no token", "Bearer", "Bearer"},
		{"no JWT", "Bearer nonsense", "invalid JWT in Authorization header"},
		{"no algorithm", "Bearer " + none, "invalid JWT in Authorization header"},
		{"another secret", "Bearer " + other, "Signature verification failed"},
		{"expired", claim("exp", time.Now().Add(-time.Second).Unix()), "Signature has expired"},
		{"never expiring", claim("exp", nil), "invalid JWT in Authorization header"},
		{"not yet valid", claim("nbf", time.Now().Add(time.Hour).Unix()), "invalid JWT in Authorization header"},
		{"another zone", claim("iss", "elsewhere"), "invalid JWT in Authorization header"},
		{"a text as subject", claim("sub", "demo"), "invalid JWT in Authorization header"},
		{"half a subject", claim("sub", []string{"demo"}), "invalid JWT in Authorization header"},
		{"not for access", claim("type", "refresh"), "invalid JWT in Authorization header"},
		{"another namespace", claim("sub", []string{"nowhere", "deploy"}), "namespace no longer exists"},
		{"another key", claim("sub", []string{"demo", "gone"}), "key no longer exists"},
		{"another nonce", claim("nonce", "AAAAAAAAAAAAAAAA"), "key was changed"},
	} {
		t.Log(c.name)
		headers := []string{}
		if c.header != "" {
			headers = []string{"Authorization", c.header}
		}
		l.wantError(l.send(http.MethodGet, "/instances", "", nil, headers...), http.StatusUnauthorized, c.words)
	}
	if a := l.send(http.MethodGet, "/instances", "", nil, "Authorization", claim("jti", "mine")); a.status != http.StatusOK {
		t.Errorf("a token like the server's own is refused: %d %s", a.status, a.body)
	}
}

func TestStaleTokenSendsOnlyBrowsersAway(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a := l.send(http.MethodGet, "/instances", "", nil, "Authorization", "Bearer nonsense", "Accept", "text/html,*/*")
	if a.status != http.StatusFound || a.header.Get("Location") != "/" {
		t.Errorf("a browser got %d to %q", a.status, a.header.Get("Location"))
	}
	l.wantError(l.send(http.MethodGet, "/instances", "", nil, "Authorization", "Bearer nonsense", "Accept", "*/*"), 401, "invalid JWT")
	l.wantError(l.send(http.MethodGet, "/instances", "", nil, "Accept", "text/html"), 401, "Missing Authorization Header")
}

func TestChangedKeyEndsItsTokensAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.golden("key-add", http.MethodPost, "/auth/namespaces/demo/keys", "demo", map[string]any{"key_name": "second", "key": "one"})
	old := l.login("demo", "one")
	use := func(token string) answer {
		return l.send(http.MethodGet, "/instances", "", nil, "Authorization", "Bearer "+token)
	}
	if a := use(old); a.status != http.StatusOK {
		t.Fatalf("a fresh token: %d %s", a.status, a.body)
	}
	l.golden("key-update", http.MethodPut, "/auth/namespaces/demo/keys", "demo", map[string]any{"key_name": "second", "key": "two"})
	l.wantError(use(old), http.StatusUnauthorized, "key was changed")
	l.wantError(l.send(http.MethodPost, "/auth", "", api.Auth{Namespace: "demo", Key: "one"}), http.StatusUnauthorized, "unauthorized")
	renewed := l.login("demo", "two")
	l.golden("key-delete", http.MethodDelete, "/auth/namespaces/demo/keys/second", "demo", nil)
	l.wantError(use(renewed), http.StatusUnauthorized, "key no longer exists")
	if a := use(l.token("demo")); a.status != http.StatusOK {
		t.Errorf("the other key suffered too: %d %s", a.status, a.body)
	}
	gone := l.token("other")
	l.golden("namespace-delete", http.MethodDelete, "/auth/namespaces/other", "system", nil)
	l.wantError(use(gone), http.StatusUnauthorized, "namespace no longer exists")
}

func TestKeysLongerThanBcryptLooksAreTold(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	long := strings.Repeat("k", 100)
	l.golden("key-add", http.MethodPost, "/auth/namespaces/demo/keys", "demo", map[string]any{"key_name": "second", "key": long})
	l.login("demo", long)
	l.wantError(l.send(http.MethodPost, "/auth", "", api.Auth{Namespace: "demo", Key: long[:99] + "x"}), http.StatusUnauthorized, "unauthorized")
}

// completeBody has a value for every argument that must be there.
func completeBody(rt route) map[string]any {
	body := map[string]any{}
	for _, a := range rt.args {
		if a.must {
			body[a.name] = "x"
		}
	}
	return body
}
