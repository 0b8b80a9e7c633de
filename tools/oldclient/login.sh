# shellcheck shell=bash
# Logging in, tokens that end, and what clients do about it.

login "$OPERATOR" "$SECRET"
status "logging in" 200
is "the token's type" "$(text token_type)" Bearer
matches "the token's life is a whole number of seconds" "$(number expires_in)" '[0-9]+'
matches "the token is a JWT" "$TOKEN" '[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+'
operator=$TOKEN TOKEN=""
send POST /auth '{"key": "x"}'
refused "no namespace" 400 "missing namespace in request"
send POST /auth '{"namespace": "system"}'
refused "no key" 400 "missing key in request"
send POST /auth '{"namespace": "system", "key": 7}'
refused "a key that is no text" 400 "key is not a string"
send POST /auth '{"namespace": "nowhere", "key": "x"}'
refused "an unknown namespace" 404 "namespace not found"
send POST /auth '{"namespace": "system", "key": "wrong"}'
refused "a wrong key" 401 unauthorized
send GET /instances
refused "no token" 401 "Missing Authorization Header"
TOKEN=stale
send GET /instances
refused "a stale token" 401 "invalid JWT in Authorization header"
send GET /instances "" -H "Accept:"
refused "a stale token without an Accept header" 401 "invalid JWT in Authorization header"

# A tenant.
TOKEN=$operator
for name in tenant helper; do
    call POST /auth/namespaces "{\"namespace\": \"$name\"}"
    is "a namespace is made" "$STATUS $(text name) $(text state)" "200 $name created"
    call POST "/auth/namespaces/$name/keys" '{"key_name": "deploy", "key": "first"}'
    is "it gets a key" "$STATUS $BODY" '200 "deploy"'
done
call POST /auth/namespaces '{"namespace": "tenant"}'
refused "a namespace that exists" 403 "namespace exists"
login tenant first
status "the tenant logs in" 200

LOGINS=0 TOKEN=expired
call GET /instances '{"all": false}'
is "after 401 a client logs in once, and goes on" "$STATUS $LOGINS" "200 1"
LOGINS=0
call GET /nodes
refused "what is for operators is 401 for others" 401 unauthorized
is "for which a client logs in once, and gives up" "$LOGINS" 1

before=$TOKEN
call PUT /auth/namespaces/tenant/keys '{"key_name": "deploy", "key": "second"}'
is "the key is changed as the library does" "$STATUS $BODY" '200 "deploy"'
KEY=second TOKEN=$before
send GET /instances
refused "its tokens end at once" 401 ""
LOGINS=0
call GET /instances
is "the new key opens" "$STATUS $LOGINS" "200 1"
call GET /auth/namespaces/tenant/keys
is "names of keys" "$STATUS $BODY" '200 ["deploy"]'
