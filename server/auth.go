package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
)

// claims are what a token says. The subject is a list, which RFC 7519 does not have: other issuers' libraries refuse it,
// but tokens of this form are what the API has always given out.
type claims struct {
	Subject   []string         `json:"sub"` // namespace and name of the key
	Issuer    string           `json:"iss"` // the zone
	Nonce     string           `json:"nonce"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	ExpiresAt *jwt.NumericDate `json:"exp"`
	ID        string           `json:"jti"`
	Type      string           `json:"type"`
	Fresh     bool             `json:"fresh"`
}

// The methods by which package jwt reads what it checks.

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore, nil }
func (c *claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return strings.Join(c.Subject, "/"), nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// staleToken marks the errors that a new login cures: the token can't be read or has expired.
type staleToken struct{ error }

func (e staleToken) Unwrap() error { return e.error }

// bare is the error without the mark, whose text is for the caller.
func (e staleToken) bare() error { return e.error }

// authenticate returns whose request r is. It fails with fault.Unauthorized.
func (s *server) authenticate(r *http.Request) (namespace.Login, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return namespace.Login{}, unauthorized("Missing Authorization Header")
	}
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return namespace.Login{}, unauthorized("the Authorization header is not of the form \"Bearer <token>\"")
	}
	secret, err := s.cloud.Namespaces.Secret(r.Context())
	if err != nil {
		return namespace.Login{}, err
	}
	var c claims
	_, err = s.tokens.ParseWithClaims(strings.TrimSpace(token), &c, func(*jwt.Token) (any, error) { return secret, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return namespace.Login{}, staleToken{unauthorized("Signature has expired")}
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return namespace.Login{}, staleToken{unauthorized("invalid JWT in Authorization header: Signature verification failed")}
	case err != nil || len(c.Subject) != 2 || c.Type != "access":
		return namespace.Login{}, staleToken{unauthorized("invalid JWT in Authorization header")}
	}
	login := namespace.Login{Namespace: c.Subject[0], Key: c.Subject[1], Nonce: c.Nonce}
	return login, s.cloud.Namespaces.Check(login)
}

func unauthorized(text string) error {
	return fault.New("server.authenticate", fault.Unauthorized, "", "%s", text)
}

// newParser returns the parser of our tokens. Nothing but HS256 counts, whatever a token's header says.
func newParser(zone string) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(), jwt.WithIssuer(zone))
}

// skew is by how much the clock of the node that made a token may be ahead of the one that is shown it next.
const skew = 5 * time.Second

// token makes the answer to a login.
func (s *server) token(l namespace.Login, secret []byte) (api.Token, error) {
	now := time.Now()
	c := &claims{
		Subject: []string{l.Namespace, l.Key}, Issuer: s.zone, Nonce: l.Nonce,
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-skew)),
		ExpiresAt: jwt.NewNumericDate(now.Add(s.tokenLife)), ID: uuid.NewString(), Type: "access",
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(secret)
	if err != nil {
		return api.Token{}, fault.Because("server.token", fault.Internal, l.Namespace, err, "signing the token")
	}
	return api.Token{AccessToken: signed, TokenType: "Bearer", ExpiresIn: int(s.tokenLife / time.Second)}, nil
}
