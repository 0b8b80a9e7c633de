# shellcheck shell=bash
# The library for Python and the command line made with it: arguments in bodies on every method, null for what is not
# given, and polling.

AGENT=$PYTHON
login tenant second
call GET /networks '{"all": false}'
is "GET with a body" "$STATUS $BODY" "200 []"
call POST /networks '{"netblock": "10.0.0.0/24", "provide_dhcp": true, "provide_nat": true, "provide_dns": false, "name": "lan", "namespace": null}'
status "a network is made" 200
lan=$(text uuid)
matches "a network has a UUID" "$lan" '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
await "/networks/$lan" created
is "vxlan_id and vxid are the same number" "$(number vxlan_id)" "$(number vxid)"
call GET /networks/lan '{"namespace": null}'
is "a network by name" "$STATUS $(text uuid)" "200 $lan"
call GET /networks/lan '{"namespace": "tenant"}'
is "a network by name in its namespace" "$STATUS $(text uuid)" "200 $lan"

create() {
    call POST /instances "{\"name\": \"$1\", \"cpus\": 1, \"memory\": 128, \"network\": $3, \"disk\": $2, \"ssh_key\": null,
        \"user_data\": null, \"namespace\": null, \"video\": {\"model\": \"cirrus\", \"memory\": \"16384\", \"vdi\": \"spice\"},
        \"uefi\": false, \"configdrive\": null, \"metadata\": {\"tags\": [\"web\"]}, \"nvram_template\": null, \"secure_boot\": false,
        \"side_channels\": []}"
}
create web1 '[{"size": "1", "base": null, "bus": null, "type": "disk"}]' '[{"network_uuid": "lan", "address": "10.0.0.9", "macaddress": null, "model": null, "float": false}]'
status "an instance is made" 200
vm=$(text uuid)
matches "its state keeps the client waiting" "$(text state)" 'initial|creating|created'
has "no side channels means none" '"side_channels":[]'
has "a number that was sent as text is a number" '"memory":16384' '"size":1'
await "/instances/$vm" created
is "it runs" "$(text power_state)" on
matches "the agent's state is a text" "$(text agent_state)" 'not ready .*'
call GET /instances/web1 '{"namespace": null}'
is "an instance by name" "$STATUS $(text uuid)" "200 $vm"
call GET "/instances/${vm//-/}"
is "an instance by UUID without dashes" "$STATUS $(text uuid)" "200 $vm"
call GET /instances '{"all": false}'
has "it is listed" "$vm"
call GET "/instances/$vm/interfaces"
has "its interfaces are listed" '"ipv4":"10.0.0.9"' '"order":0' '"floating":null'
nic=$(text uuid)
call GET "/interfaces/$nic"
is "an interface by UUID" "$STATUS $(text uuid)" "200 $nic"
call GET "/instances/$vm/events" '{"event_type": null, "limit": "5"}'
has "events have all their keys" '"type":' '"timestamp":' '"fqdn":' '"duration":' '"message":' '"extra":'
matches "a time is a float" "$(number timestamp)" '[0-9]{10}\.[0-9]+'
call GET "/instances/$vm/events" '{"event_type": "rumour"}'
refused "an unknown type of event" 400 event_type
call GET "/networks/$lan/addresses"
has "addresses of a network" '"address":"10.0.0.9"' '"type":"gateway"' '"type":"broadcast"'

for power in poweroff poweroff poweron; do
    call POST "/instances/$vm/$power"
    quiet "$power answers null"
done
call GET "/instances/$vm/consoledata" '{"length": "100"}'
is "the console is bytes" "$STATUS $(header content-type)" "200 application/octet-stream"

call POST "/instances/$vm/metadata" '{"key": "owner", "value": "me"}'
quiet "metadata is set"
call PUT "/instances/$vm/metadata/owner" '{"value": {"name": "you"}}'
quiet "metadata is replaced"
call GET "/instances/$vm/metadata"
has "metadata is read" '"owner":{"name":"you"}' '"tags":["web"]'
call POST "/instances/$vm/metadata" '{"key": "owner", "value": ""}'
refused "an empty value" 400 "no value specified"
for again in 1 2; do
    call DELETE "/instances/$vm/metadata/owner"
    quiet "metadata is deleted, $again"
done
call GET "/networks/$lan/metadata"
is "no metadata is an empty object" "$STATUS $BODY" "200 {}"

call POST /networks '{"netblock": "10.9.0.0/24", "name": "named"}' -H "X-Request-ID: traced.1"
named=$(text uuid)
call GET "/networks/$named/events" '{"event_type": "audit"}'
has "events have the ID of the request" '"request-id":"traced.1"'
await "/networks/$named" created
call DELETE "/networks/$named"
await "/networks/$named" deleted

# A network whose last instance goes waits for it.
call DELETE "/networks/$lan" '{"namespace": null}'
is "a network in use is deleted later" "$STATUS $(text state)" "200 delete-wait"
call DELETE "/instances/$vm" '{"namespace": null}'
status "an instance is deleted" 200
await "/instances/$vm" deleted
pass "a deleted instance answers until its client has seen it"
await "/networks/$lan" deleted
pass "and so does a deleted network"
call GET /instances/web1
refused "its name is nobody's" 404 "instance not found"
call DELETE "/instances/$vm"
refused "deleting it again" 404 "not found"
call DELETE "/networks/$lan"
quiet "deleting the network again answers null"

# Everything at once.
for n in 1 2; do
    create "many$n" '[{"size": 1}]' '[]'
    await "/instances/$(text uuid)" created
done
call DELETE /instances '{"confirm": "true", "namespace": null}'
refused "confirm must be true" 400 "parameter confirm is not set true"
call DELETE /instances '{"confirm": true, "namespace": null}'
all=$BODY
is "two instances go" "$STATUS $(grep -o '[0-9a-f]\{8\}-' <<<"$all" | wc -l)" "200 2"
for vm in $(tr -d '[]"' <<<"$all" | tr ',' ' '); do
    await "/instances/$vm" deleted
done
call DELETE /networks '{"confirm": true, "namespace": null, "clean_wait": true}'
is "networks that are not there" "$STATUS $BODY" "200 []"
call DELETE /artifacts '{"confirm": true, "namespace": "helper"}'
refused "what is another's" 401 unauthorized

# Names that two namespaces use are nobody's for system, which sees both.
for name in tenant helper; do
    [ "$name" = tenant ] || login helper first
    call POST /networks '{"netblock": "10.8.0.0/24", "name": "same"}'
    await "/networks/$(text uuid)" created
done
login "$OPERATOR" "$SECRET"
call GET /networks/same
refused "a name that two have" 400 'multiple networks have the name'
call GET /networks/same '{"namespace": "helper"}'
is "in one namespace it is one" "$STATUS $(text namespace)" "200 helper"
for name in tenant helper; do
    call DELETE /networks "{\"confirm\": true, \"namespace\": \"$name\", \"clean_wait\": true}"
    is "delete-all of $name" "$STATUS $(grep -o '[0-9a-f]\{8\}-' <<<"$BODY" | wc -l)" "200 1"
    await "/networks/$(tr -d '[]"' <<<"$BODY")" deleted
done
login tenant second

# Trust: the helper acts on the tenant's artifacts and namespace, and on nothing else.
call POST /auth/namespaces/tenant/trust '{"external_namespace": "helper"}'
has "trust is given" '"full":["helper","system"]'
login helper first
call GET /auth/namespaces/tenant
is "the helper sees the namespace" "$STATUS $(text name)" "200 tenant"
call GET "/instances/$vm"
refused "but no instance" 404 "instance not found"
login tenant second
call DELETE /auth/namespaces/tenant/trust/helper
lacks "trust is taken" '"helper"'

# What operators ask.
login "$OPERATOR" "$SECRET"
call GET /nodes
has "nodes have every role" '"is_etcd_master":' '"is_hypervisor":' '"is_network_node":' '"is_eventlog_node":' '"is_cluster_maintainer":'
node=$(text name)
call GET "/nodes/$node"
has "and so has one" '"is_cluster_maintainer":' '"lastseen":'
call GET "/nodes/$node/processmetrics"
matches "metrics of processes are an object of floats" "$STATUS $BODY" '200 \{("[^"]+":[0-9]+\.[0-9]+,?)*\}'
call GET /admin/locks
matches "locks are an object" "$STATUS $BODY" '200 \{.*\}'
call GET /admin/resources
has "resources" '"total":' '"per_node":' '"cpu_max_per_instance":'
call GET /admin/cacert
is "the certificate is text" "$STATUS $(header content-type | cut -d ';' -f 1)" "200 text/plain"
