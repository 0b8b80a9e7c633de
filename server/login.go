package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// loginRoutes are the routes of logging in.
func (s *server) loginRoutes() []route {
	return []route{{
		method: http.MethodPost, pattern: api.PathAuth, who: nobody, handle: s.postAuth, args: loginArgs,
		summary: "trade a key for a token", out: api.Token{}, errs: []int{http.StatusUnauthorized, http.StatusNotFound},
	}}
}

var loginArgs = []arg{
	{name: "namespace", kind: argText, must: true, doc: "whose key it is"},
	{name: "key", kind: argAny, doc: "the secret, a string; whichever key of the namespace it is"},
}

// postAuth trades a key for a token. It costs one compare of a hash, whether the key is right or wrong and however many there
// are, so that how long it takes tells nothing.
func (s *server) postAuth(c *call) (any, error) {
	ctx, name := c.Context(), c.args.text("namespace")
	secret, isText := c.args["key"].(string)
	if secret == "" {
		if _, err := s.cloud.Namespaces.Get(ctx, name); err != nil {
			return nil, err
		}
		if c.args.has("key") && !isText {
			return nil, invalid("key is not a string")
		}
		return nil, invalid("missing key in request")
	}
	known, err := s.cloud.Namespaces.Knows(ctx, name, secret)
	if err != nil {
		return nil, err
	}
	enter := s.logins.enter
	if !known {
		if err := s.guesses.take(sourceOf(c.RemoteAddr)); err != nil {
			return nil, err
		}
		enter = s.logins.enterGuess
	}
	if err := enter(ctx); err != nil {
		return nil, err
	}
	defer s.logins.leave()
	login, err := s.cloud.Namespaces.Login(ctx, name, secret)
	if err != nil {
		return nil, err
	}
	signing, err := s.cloud.Namespaces.Secret(ctx)
	if err != nil {
		return nil, err
	}
	return s.token(login, signing)
}
