# shellcheck shell=bash
# The Terraform provider, which uses the library for Go: it reads back what it has written, notes metadata one key at a
# time right after a create, and polls deletes until the state is deleted or the error says not found.

AGENT=$GO
login "$OPERATOR" "$SECRET"
go POST /auth/namespaces '{"namespace": "terraform"}'
status "a namespace resource is made" 200
go GET /auth/namespaces
has "it is read back from the list" '"terraform"'
go POST /auth/namespaces/terraform/metadata '{"key": "team", "value": "red"}'
quiet "with metadata"
go POST /auth/namespaces/terraform/keys '{"key_name": "tf", "key": "t0ps3cret"}'
status "a key resource is made" 200
go GET /auth/namespaces/terraform/keys
has "it is read back from the list of keys" '"tf"'
go PUT /auth/namespaces/terraform/keys/tf '{"key": "n3w"}'
status "it is updated" 200
login terraform n3w

go POST /networks '{"netblock": "10.2.0.0/24", "provide_dhcp": true, "provide_nat": false, "name": "tf", "namespace": ""}'
lan=$(text uuid)
go POST "/networks/$lan/metadata" '{"key": "purpose", "value": "test"}'
quiet "metadata of a network that was just made"
await "/networks/$lan" created
is "what is compared is as it was written" "$(number provide_dhcp) $(number provide_nat)" "true false"
go POST /instances "{\"name\": \"tfweb\", \"cpus\": 1, \"memory\": 256, \"network\": [{\"network_uuid\": \"$lan\", \"address\": \"\",
    \"macaddress\": \"\", \"model\": \"virtio\"}], \"disk\": [{\"base\": \"$IMAGES/slow.raw\", \"size\": 1, \"bus\": \"\", \"type\": \"disk\"}],
    \"ssh_key\": \"ssh-ed25519 AAAA\", \"user_data\": \"\", \"namespace\": \"\", \"video\": {\"model\": \"cirrus\", \"memory\": 16384}}"
status "an instance resource is made" 200
vm=$(text uuid)
for key in one two three; do
    go POST "/instances/$vm/metadata" "{\"key\": \"$key\", \"value\": \"$key\"}"
    quiet "metadata $key of an instance that was just made"
done
await "/instances/$vm" created
has "nothing of it is lost" '\"one\":\"one\"' '\"three\":\"three\"'
go GET "/instances/$vm/interfaces"
nic=$(text uuid)
go GET "/interfaces/$nic"
is "an interface is read" "$STATUS $(text instance_uuid)" "200 $vm"

go DELETE "/instances/$vm"
status "the instance is destroyed" 200
gone() {
    local end=$((SECONDS + DEADLINE))
    while :; do
        go GET "$1"
        case "$STATUS $(text state)" in "200 deleted") return 0 ;; esac
        case "$STATUS $BODY" in 404*"not found"*) return 0 ;; esac
        [ $SECONDS -lt $end ] || die "still there after $DEADLINE seconds"
        sleep 0.2
    done
}
gone "/instances/$vm"
go DELETE "/networks/$lan"
gone "/networks/$lan"
pass "destroying ends"
login "$OPERATOR" "$SECRET"
go DELETE /auth/namespaces/terraform
quiet "the namespace is destroyed"
go GET /auth/namespaces/terraform
refused "and gone" 404 "namespace not found"
go POST /auth/namespaces '{"namespace": "terraform"}'
status "its name can be used again" 200
has "without its keys" '"keys":[]'
go DELETE /auth/namespaces/terraform
