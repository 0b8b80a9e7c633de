# shellcheck shell=bash
# The library for Go: a Content-Type with every request, empty texts for what is not given, no Accept header, and types
# that can't hold everything that the bodies of today have.

AGENT=$GO
go() { call "$1" "$2" "${3-}" -H "Content-Type: application/json" -H "Accept:"; }

login "$OPERATOR" "$SECRET"
go GET /auth/namespaces
has "namespaces are a list of names" '"tenant"' '"system"'
lacks "and nothing else" '{'
go PUT /auth/namespaces/tenant/keys/deploy '{"key": "third"}'
is "a key is changed by its path" "$STATUS $BODY" '200 "deploy"'
login tenant third
status "it opens" 200
TOKEN=stale
go GET /networks
is "a stale token is 401 and never a redirect" "$STATUS" 200
go POST /networks '{"netblock": "10.1.0.0/24", "provide_dhcp": false, "provide_nat": false, "name": "golan", "namespace": ""}'
has "what was refused is refused" '"provide_dhcp":false' '"provide_nat":false'
lan=$(text uuid)
await "/networks/$lan" created
go POST /instances "{\"name\": \"goweb\", \"cpus\": 1, \"memory\": 128, \"network\": [{\"network_uuid\": \"$lan\", \"address\": \"\",
    \"macaddress\": \"\", \"model\": \"\"}], \"disk\": [{\"base\": \"\", \"size\": 1, \"bus\": \"\", \"type\": \"\"}], \"ssh_key\": \"\",
    \"user_data\": \"\", \"namespace\": \"\", \"video\": {\"model\": \"\", \"memory\": 0, \"vdi\": \"\"}, \"uefi\": false, \"secure_boot\": false,
    \"nvram_template\": \"\", \"configdrive\": \"\", \"placed_on\": \"\", \"side_channels\": null, \"metadata\": \"\"}"
status "empty texts are defaults" 200
has "an empty address is allocated, empty metadata is text" '"ipv4":"10.1.0.' '"metadata":"{}"' '"model":"cirrus","memory":16384'
vm=$(text uuid)
await "/instances/$vm" created
go POST "/instances/$vm/metadata" '{"key": "n", "value": 7}'
quiet "metadata is set"
go GET "/instances/$vm/metadata"
is "metadata is texts" "$STATUS $BODY" '200 {"n":"7"}'
go GET "/instances/$vm"
has "metadata of an instance is the text of an object" '"metadata":"{\"n\":7}"'
go GET /instances
has "in lists too" '"metadata":"{\"n\":7}"'
AGENT=$PYTHON
call GET "/instances/$vm"
has "for everybody else it is an object" '"metadata":{"n":7}'
AGENT=$GO
go GET /networks/nowhere
refused "errors are JSON" 404 "network not found"
go DELETE "/instances/$vm"
status "an instance is deleted" 200
await "/instances/$vm" deleted
go DELETE "/networks/$lan"
await "/networks/$lan" deleted
