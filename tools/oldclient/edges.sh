# shellcheck shell=bash
# Paths, methods and bodies as nobody means them and somebody sends them.

AGENT=$PYTHON
login tenant third
for path in /networks/ //networks /api/networks //api//networks// "/networks?all=false"; do
    send GET "$path" '{}'
    is "$path is served as it is" "$STATUS $BODY" "200 []"
done
send POST /api//networks/ '{"name": "edge", "netblock": "10.3.0.0/24"}'
is "a POST stays one" "$STATUS $(text name)" "200 edge"
lan=$(text uuid)
await "/networks/$lan" created
send GET /networks
length=$(wc -c <"$work/body")
send HEAD /networks
is "HEAD has the length of the body that GET has" "$STATUS $(header content-type) $(header content-length)" "200 application/json $length"
send OPTIONS /instances
is "OPTIONS says what is allowed" "$STATUS $(header allow)" "200 DELETE, GET, HEAD, OPTIONS, POST"
send PATCH /instances
is "another method" "$STATUS $(header allow)" "405 DELETE, GET, HEAD, OPTIONS, POST"
is "has a message of its own" "$BODY" '{"message":"The method is not allowed for the requested URL."}'
send GET /nowhere
refused "an unknown path" 404 "not found"
send GET /instances/..
refused "a walk up the path" 404 "not found"
send GET "/instances/%2e%2e%2fnetworks"
refused "a walk that is hidden" 404 "not found"
for later in "POST /interfaces/$lan/float" "GET /networks/edge/ping/10.3.0.1"; do
    send "${later% *}" "${later#* }" '{}'
    refused "$later comes later" 404 "not found"
done

send GET /networks 'this is no JSON'
is "a body that is no JSON is none" "$STATUS" 200
send GET /networks '[1]'
refused "a body that is JSON and no object" 400 "not an object"
send GET /networks '{"colour": "red"}'
refused "an unknown argument" 400 colour
send GET /networks '{"all": null}'
is "null is absent" "$STATUS" 200
send GET /networks/edge '{"network_ref": "another", "namespace": ""}'
is "a body does not win over the path" "$STATUS $(text uuid)" "200 $lan"
send GET "/networks/edge?namespace=tenant"
is "arguments may stand in the query" "$STATUS $(text uuid)" "200 $lan"
send POST /networks '{"name": "bad", "netblock": "10.3.0.1/24"}'
refused "host bits" 400 "cannot parse netblock"
send POST /networks '{"name": "bad", "netblock": "10.3.0.0/30"}'
refused "too small" 400 netblock
send POST /networks '{"name": "bad", "netblock": "10.3.0.0/24", "namespace": "helper"}'
refused "another's namespace" 401 unauthorized
create huge '[{"size": 1}]' '[{"network_uuid": "edge", "address": "10.3.0.1"}]'
refused "an address in use" 409 10.3.0.1
send POST /instances '{"name": "huge", "cpus": 1, "memory": 536870912, "disk": [{"size": 1}]}'
refused "more than there is" 507 MiB
send POST /instances '{"name": "a.b", "cpus": 1, "memory": 128, "disk": [{"size": 1}]}'
refused "a name with a dot" 400 name
send POST /instances '{"name": "nodisk", "cpus": 1, "memory": 128, "disk": []}'
refused "no disk" 400 "instance must specify at least one disk"
login helper first
send GET "/networks/$lan"
theirs="$STATUS $BODY"
send GET /networks/11111111-2222-4333-8444-555555555555
is "what is another's is like what is not there" "$theirs" "$STATUS $BODY"

# The tenants leave.
login "$OPERATOR" "$SECRET"
call DELETE /auth/namespaces/tenant
refused "a namespace with networks stays" 400 "you cannot delete a namespace with networks"
call DELETE /networks '{"confirm": true, "namespace": "tenant", "clean_wait": true}'
is "its networks are deleted" "$STATUS $BODY" "200 [\"$lan\"]"
await "/networks/$lan" deleted
for name in tenant helper; do
    call DELETE "/auth/namespaces/$name"
    quiet "$name is deleted"
done
call GET /instances '{"all": false}'
is "nothing is left" "$STATUS $BODY" "200 []"
