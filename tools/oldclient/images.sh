# shellcheck shell=bash
# Images: fetched, waited for, read. An instance whose image is slow shows what clients do about 406.

AGENT=$PYTHON
login tenant second
call GET /artifacts '{"node": null}'
is "no artifacts" "$STATUS $BODY" "200 []"
call GET /images
is "nor images, as artifacts were called once" "$STATUS $BODY" "200 []"
create slow "[{\"size\": 1, \"base\": \"$IMAGES/slow.raw\", \"bus\": null, \"type\": \"disk\"}]" '[]'
vm=$(text uuid)
send POST "/instances/$vm/poweroff"
refused "what is not ready yet" 406 "is not ready ("
WAITED=0
call POST "/instances/$vm/poweroff"
quiet "a client that waits a second and asks again gets there"
matches "after it was told to wait" "$WAITED" '[1-9][0-9]*'
await "/instances/$vm" created

# An image that is not there: the instance ends in error, exactly, and says why.
create broken "[{\"size\": 1, \"base\": \"$IMAGES/gone.raw\", \"bus\": null, \"type\": \"disk\"}]" '[]'
broken=$(text uuid)
await "/instances/$broken" error
matches "an instance that failed says why" "$(text error_message)" '.*404.*'
send POST "/instances/$broken/poweron"
refused "what never will be ready is not waited for" 409 "is not ready (error)"
call DELETE "/instances/$broken"
await "/instances/$broken" deleted
send POST "/instances/$broken/poweron"
refused "nor is what is deleted" 409 "is not ready (deleted)"

call POST /artifacts "{\"url\": \"$IMAGES/base.raw\", \"shared\": false, \"namespace\": null}"
is "an artifact is made" "$STATUS $(text artifact_type)" "200 image"
image=$(text uuid)
has "its versions are an object" '"blobs":{'
await "/artifacts/$image" created
has "it has a version" '"index":1' '"blob_uuid":'
blob=$(text blob_uuid)
call GET "/artifacts/$image/versions"
has "versions say who uses them" '"index":1' '"instances":[]'
call GET "/blobs/$blob"
has "a blob has what clients read" '"transcodes":{}' '"locations":["' '"reference_count":1'
size=$(number size)
login helper first
call GET "/blobs/$blob/data"
is "who knows a blob's UUID reads it" "$STATUS $(header content-type) $(wc -c <"$work/body")" "200 application/octet-stream $size"
call GET "/blobs/$blob/data?offset=510&limit=2"
is "a part of it is 200 too" "$STATUS $(od -An -tx1 "$work/body" | tr -d ' ')" "200 55aa"
call GET "/blobs/$blob/data?offset=$size"
is "past the end is nothing" "$STATUS $(wc -c <"$work/body")" "200 0"
call GET "/artifacts/$image"
refused "an artifact is its owners'" 404 "artifact not found"
login tenant second
call POST "/artifacts/$image/metadata" '{"key": "os", "value": "none"}'
quiet "metadata of an artifact"
call DELETE "/artifacts/$image"
is "an artifact is deleted at once" "$STATUS $(text state)" "200 deleted"
call DELETE "/artifacts/$image"
quiet "deleting it again answers null"
call POST /artifacts "{\"url\": \"$IMAGES/base.raw\", \"shared\": true}"
refused "sharing is for system" 403 "only the system namespace can create shared artifacts"
call DELETE "/instances/$vm"
await "/instances/$vm" deleted
