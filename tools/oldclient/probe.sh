# shellcheck shell=bash
# A client looks at the root page, before it has logged in, for the words that say what the server can do.

for path in / "" // ; do
    send GET "$path"
    is "GET of the root as \"$path\"" "$STATUS $(header content-type)" "200 text/html; charset=utf-8"
done
words=$(grep "<li>" <<<"$BODY")
for path in /api /api/ //api//; do
    send GET "$path"
    status "$path is the root too" 200
    is "$path has the same words" "$(grep "<li>" <<<"$BODY")" "$words"
done
has "the root page has the words of what works" cluster-cacert cluster-resources artifact-metadata blob-metadata events-by-type \
    get-instance-namespace list-addresses get-network-namespace provide-dns interface-metadata node-get node-metadata node-process-metrics \
    artifact-upload-types blob-search-by-hash blob-hash-sha1 blob-hash-sha256 blob-hash-xxh128
send GET /
lacks "the root page does not promise reads in pieces, which never end" blob-data-limit
lacks "the root page does not promise what comes later" instance-execute instance-put-blob \
    hot-plug-interface route-addresses extra-dns-entries instance-screenshot vdi-console-helper agentoperations-crud

send GET /
matches "a request without ID gets one" "$(header x-request-id)" '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
send GET / "" -H "X-Request-ID: my-own.1"
is "the caller's request ID comes back" "$(header x-request-id)" my-own.1
