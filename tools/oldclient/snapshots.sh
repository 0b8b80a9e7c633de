# shellcheck shell=bash
# The night of a tested image: an instance is copied, the copy gets a label, and instances are made from the label.

AGENT=$PYTHON
login tenant second

# copied - look at the copies of $vm until $copy is one of them that is made, as clients do.
copied() {
    local end=$((SECONDS + DEADLINE))
    while :; do
        call GET "/instances/$vm/snapshot"
        [ "$STATUS" = 200 ] || die "the wait for a copy would raise an error"
        ! tr '{' '\n' <<<"$BODY" | grep -F "\"blob_uuid\":\"$copy\"" >/dev/null || ! grep -qF '"state":"created"' <<<"$BODY" || return 0
        [ $SECONDS -lt $end ] || die "no copy after $DEADLINE seconds"
        sleep 0.2
    done
}

# label NAME - have a label mean $copy.
label() { call POST "/label/$1" "{\"blob_uuid\": \"$copy\", \"max_versions\": null}"; }

create night "[{\"size\": 1, \"base\": \"sf://blob/$blob\", \"bus\": null, \"type\": \"disk\"}, {\"size\": 1}]" '[]'
vm=$(text uuid)
send POST "/instances/$vm/snapshot" '{"all": false}'
case $STATUS in
    200) pass "it was made already" ;;
    *) refused "what is not made yet is not copied" 406 "is not ready (" ;;
esac
await "/instances/$vm" created
call POST "/instances/$vm/snapshot" '{"all": false, "device": "vdz", "thin": null, "max_versions": null}'
is "a device that is not there" "$STATUS $BODY" "200 {}"
call POST "/instances/$vm/snapshot" '{"all": false, "device": null, "thin": false, "max_versions": null}'
status "the first disk is copied" 200
has "by its device" '{"vda":{' "\"source_url\":\"sf://instance/$vm/vda\""
copy=$(text blob_uuid) taken=$(text artifact_uuid)
copied
has "a copy has what clients read" '"device":"vda"' '"artifact_type":"snapshot"' "\"uuid\":\"$taken\"" '"state":"created"'
matches "when it was made is an integer" "$(number created)" '[0-9]{10}'
call GET "/artifacts/$taken"
is "its artifact" "$STATUS $(text artifact_type) $(text source_url)" "200 snapshot sf://instance/$vm/vda"
call GET "/blobs/$copy/data"
is "it can be read" "$STATUS $(wc -c <"$work/body")" "200 $(call GET "/blobs/$copy" && number size)"
call POST "/instances/$vm/snapshot" '{"all": true, "thin": false}'
has "all disks are copied" '"vda":{' '"vdc":{'

label tested
is "a label is made" "$STATUS $(text artifact_type) $(text source_url) $(text blob_uuid)" "200 label sf://label/tenant/tested $copy"
call DELETE "/artifacts/$taken"
is "the copy is not a snapshot any more" "$STATUS $(text state)" "200 deleted"
create tested '[{"size": 1, "base": "label:tested", "bus": null, "type": "disk"}]' '[]'
status "an instance is made from the label" 200
tested=$(text uuid)
await "/instances/$tested" created
call GET "/blobs/$copy"
has "which the blob knows" "$tested"
call GET /label/tested
is "a label is shown" "$STATUS $(text blob_uuid)" "200 $copy"
label tenant/tested
is "with its namespace it is the same" "$STATUS $(text source_url) $(number index)" "200 sf://label/tenant/tested 1"
label a/b/c
refused "a name with two slashes" 400 "slash"
call POST /label/tested '{"max_versions": 2}'
refused "a label means something" 400 "blob_uuid"
call POST /label/tested '{"blob_uuid": "11111111-2222-4333-8444-555555555555"}'
refused "a blob that is not there" 404 "blob not found"
AGENT=$GO
call PUT /label/tested "{\"blob_uuid\": \"$copy\"}"
is "old clients in Go put labels" "$STATUS $(text blob_uuid)" "200 $copy"
AGENT=$PYTHON
login helper first
label tenant/tested
refused "a label of another namespace" 404 ""
login tenant second
create none '[{"size": 1, "base": "label:nothing", "bus": null, "type": "disk"}]' '[]'
refused "a label that is not there" 404 "label:nothing"
call DELETE /label/tested
is "a label is deleted" "$STATUS $(text state)" "200 deleted"
call GET /label/tested
refused "and is not there" 404 "not found"
call GET "/blobs/$copy"
is "what instances lie on stays" "$STATUS $(number reference_count)" "200 1"
for vm in $vm $tested; do
    call DELETE "/instances/$vm"
    await "/instances/$vm" deleted
done
call DELETE /artifacts '{"confirm": true, "namespace": null}'
status "the rest is deleted" 200
call GET "/blobs/$copy"
case $STATUS in
    404) pass "with the last instance the blob went" ;;
    *) is "with the last instance the blob went" "$(text state)" deleted ;;
esac
