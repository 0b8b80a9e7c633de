# shellcheck shell=bash
# Uploads in pieces of which one goes wrong, versions, and who may use them.

AGENT=$PYTHON
login tenant second

# disk WORDS - a file that is taken for a disk and is like no other.
disk() {
    head -c 98304 /dev/zero >"$work/disk"
    printf '%s' "$1" | dd of="$work/disk" bs=1 seek=4096 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$work/disk" bs=1 seek=510 conv=notrunc status=none
    sum=$(sha512sum "$work/disk" | cut -d ' ' -f 1)
}

# piece UUID FROM BYTES - add a part of the file to an upload.
piece() {
    tail -c "+$(($2 + 1))" "$work/disk" | head -c "$3" >"$work/piece" || true
    call POST "/upload/$1" "" -H "Content-Type: application/octet-stream" --data-binary "@$work/piece"
}

# uploaded NAME WORDS - upload a new disk, the whole in one piece.
uploaded() {
    disk "$2"
    call POST /upload
    upload=$(text uuid)
    piece "$upload" 0 98304
    is "$1 is sent" "$STATUS $BODY" "200 98304"
    call POST "/artifacts/upload/$1" "{\"upload_uuid\": \"$upload\", \"source_url\": null, \"shared\": false, \"namespace\": null}"
    is "$1 is made an artifact" "$STATUS $(text state) $(text artifact_type) $(text source_url)" "200 created image sf://upload/$WHO/$1"
}

disk first
call GET "/blob_checksums/sha512/$sum"
quiet "content that nobody has is null, not 404"
call GET "/blob_checksums/md5/$sum"
refused "an algorithm that nobody knows" 400 "unknown hash algorithm"
call POST /upload
is "an upload begins" "$STATUS $(text state)" "200 created"
has "an upload has what clients read" '"node":"' '"created_at":' '"metadata":{}'
upload=$(text uuid)
piece "$upload" 0 65536
is "a piece is answered by a bare number" "$STATUS $(header content-type) $BODY" "200 application/json 65536"
piece "$upload" 65536 1000
is "a piece of which not all arrived" "$STATUS $BODY" "200 66536"
call POST "/upload/$upload/truncate/65536"
quiet "is cut off"
piece "$upload" 65536 32768
is "and sent again" "$STATUS $BODY" "200 98304"
call POST "/upload/$upload/truncate/99999"
refused "there is no more to keep" 400 ""
call POST "/upload/$upload/truncate/much"
refused "an offset is a number" 400 "not an integer"
piece 11111111-2222-4333-8444-555555555555 0 10
refused "an upload that is not there" 404 "not found"
call POST /artifacts/upload/first "{\"upload_uuid\": \"$upload\", \"blob_uuid\": \"$upload\"}"
refused "an upload and a blob" 400 "upload_uuid and blob_uuid"
call POST /artifacts/upload/first '{"upload_uuid": null, "blob_uuid": null}'
refused "neither" 400 "missing upload_uuid or blob_uuid"
call POST /artifacts/upload/first "{\"upload_uuid\": \"$upload\", \"artifact_type\": \"kitten\"}"
refused "a type that is none" 403 ""
call POST /artifacts/upload/first "{\"upload_uuid\": \"$upload\", \"source_url\": null, \"shared\": true, \"namespace\": null}"
refused "sharing an upload is for system" 403 "only the system namespace can create shared artifacts"
call POST /artifacts/upload/first "{\"upload_uuid\": \"$upload\", \"source_url\": null, \"shared\": false, \"namespace\": null, \"artifact_type\": \"image\"}"
is "an upload becomes an artifact" "$STATUS $(text state) $(number index) $(text source_url)" "200 created 1 sf://upload/tenant/first"
first=$(text uuid) blob=$(text blob_uuid)
piece "$upload" 0 10
refused "and is gone" 404 "not found"
call GET "/blob_checksums/sha512/$sum"
is "its content is found" "$STATUS $(text uuid) $(text sha512)" "200 $blob $sum"
for algorithm in sha1 sha256 xxh128; do
    hash=$(text $algorithm)
    call GET "/blob_checksums/$algorithm/$hash"
    is "by $algorithm too" "$STATUS $(text uuid)" "200 $blob"
done
call POST /artifacts/upload/copy "{\"blob_uuid\": \"$blob\", \"source_url\": \"http://example.com/copy.raw\", \"shared\": false, \"namespace\": null}"
is "what is there is not sent again" "$STATUS $(text blob_uuid) $(text source_url)" "200 $blob http://example.com/copy.raw"
copy=$(text uuid)

# Versions.
uploaded first second
is "the same name makes the next version" "$(text uuid) $(number index)" "$first 2"
has "a version keeps its number" '"blobs":{"1":{' '"2":{'
uploaded first second
is "the same content does not" "$(text uuid) $(number index)" "$first 2"
call GET "/artifacts/$first/versions"
has "versions are told oldest first" '"index":1' '"index":2' '"instances":[]'
call POST "/artifacts/$first/versions" '{"max_versions": 1}'
quiet "fewer versions are kept"
call GET "/artifacts/$first"
lacks "at once" '"1":{'
call GET "/blob_checksums/sha512/$sum"
is "the newest one stays" "$STATUS $(text sha512)" "200 $sum"
call DELETE "/artifacts/$first/versions/newest"
refused "a version is a number" 400 ""
call DELETE "/artifacts/$first/versions/1"
refused "a version that is gone" 404 "artifact index not found"
call DELETE "/artifacts/$first/versions/2"
is "with its last version an artifact goes" "$STATUS $(text state)" "200 deleted"
call GET "/blob_checksums/sha512/$sum"
quiet "and with it the blob"
call GET "/blobs/$blob"
is "but not one that another has" "$STATUS $(number reference_count)" "200 1"

# Sharing.
call POST "/artifacts/$copy/share"
refused "what is no part of system is not shared" 403 ""
login "$OPERATOR" "$SECRET"
uploaded golden third
golden=$(text uuid)
login helper first
call GET "/artifacts/$golden"
refused "it is system's" 404 "artifact not found"
login "$OPERATOR" "$SECRET"
call POST "/artifacts/$golden/share"
is "it is shared" "$STATUS $(number shared)" "200 true"
login helper first
call GET "/artifacts/$golden"
is "and everybody's" "$STATUS $(text uuid)" "200 $golden"
call DELETE "/artifacts/$golden"
refused "to use, not to delete" 404 "artifact not found"
login "$OPERATOR" "$SECRET"
call POST "/artifacts/$golden/unshare"
is "it is not shared any more" "$STATUS $(number shared)" "200 false"
call POST "/artifacts/$golden/unshare"
refused "which can be done once" 403 "artifact not shared"
call DELETE "/artifacts/$golden"
is "it goes" "$STATUS $(text state)" "200 deleted"
