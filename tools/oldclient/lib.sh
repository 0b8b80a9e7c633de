# shellcheck shell=bash
# What every chapter uses: sending requests, waiting as clients wait, and saying what holds.

PYTHON="Mozilla/5.0 (Ubuntu; Linux x86_64) Shaken Fist/0.8.0"
GO="Go-http-client/1.1" # an old client written in Go names none of its own
AGENT=$PYTHON
TOKEN=""     # what requests log in with
LOGINS=0     # how many there were
CHECKS=0     # how many checks held
DEADLINE=60  # seconds that a client waits
WHO="" KEY="" # namespace and key to log in with anew
STATUS="" BODY="" SENT=""

# send METHOD PATH [BODY [CURL OPTION…]] - one request. Leaves STATUS, BODY and, in $work/headers, the headers.
send() {
    local method=$1 path=$2 body=${3-}
    shift $(($# < 3 ? $# : 3))
    SENT="$method $path $body"
    local -a options=(-sS --max-time 100 --path-as-is -A "$AGENT" -D "$work/headers" -o "$work/body" -w '%{http_code}')
    [ -z "$TOKEN" ] || options+=(-H "Authorization: Bearer $TOKEN")
    [ -z "$body" ] || options+=(-H "Content-Type: application/json" --data-binary "$body")
    if [ "$method" = HEAD ]; then options+=(-I); else options+=(-X "$method"); fi
    : >"$work/body"
    STATUS=$(curl "${options[@]}" "$@" "$BASE$path") || die "curl failed with $?"
    BODY=$(tr -d '\0' <"$work/body")
    # What holds of every answer: nobody is sent elsewhere, and each has the request's ID.
    case $STATUS in 3*) die "a redirect, which clients turn into a GET" ;; esac
    grep -qi '^x-request-id: [^ ]' "$work/headers" || die "no X-Request-ID"
    if [ "$method" != HEAD ] && [ -z "$BODY" ] && header content-type | grep -q json; then
        die "an empty body, which clients can't parse"
    fi
}

# header NAME - the value of a header of the last answer.
header() { sed -n "s/^$1: *//Ip" "$work/headers" | tr -d '\r' | tail -n 1; }

# login NAMESPACE KEY - log in, and from now on as this namespace.
login() {
    WHO=$1 KEY=$2 TOKEN=""
    send POST /auth "{\"namespace\": \"$1\", \"key\": \"$2\"}"
    LOGINS=$((LOGINS + 1))
    [ "$STATUS" != 200 ] || TOKEN=$(text access_token)
}

# call METHOD PATH [BODY [CURL OPTION…]] - a request as libraries make it: after 401 they log in once and repeat it once,
# after 406 they wait a second and repeat it until the deadline.
call() {
    local end=$((SECONDS + DEADLINE)) renewed=""
    while :; do
        send "$@"
        case $STATUS in
            401)
                [ -z "$renewed" ] || return 0
                renewed=1
                local sent=$SENT
                login "$WHO" "$KEY"
                SENT=$sent
                ;;
            406)
                WAITED=$((${WAITED:-0} + 1))
                [ $SECONDS -lt $end ] || die "still not ready after $DEADLINE seconds"
                sleep 1
                ;;
            *) return 0 ;;
        esac
    done
}

# text NAME - the first value of this name in the last body, if it is a string; number NAME the same for other scalars.
text() { grep -o "\"$1\":\"[^\"]*\"" <<<"$BODY" | head -n 1 | sed 's/^[^:]*:"//; s/"$//' || true; }
number() { grep -o "\"$1\":[^],}\"[{]*" <<<"$BODY" | head -n 1 | sed 's/^[^:]*://' || true; }

# await PATH STATES… - look at an object until it is in one of these states, as clients do after creates and deletes.
await() {
    local path=$1 end=$((SECONDS + DEADLINE))
    shift
    while :; do
        call GET "$path"
        [ "$STATUS" = 200 ] || die "the wait for $* would raise an error"
        case " $* " in *" $(text state) "*) return 0 ;; esac
        [ $SECONDS -lt $end ] || die "not one of $* after $DEADLINE seconds"
        sleep 0.2
    done
}

# status WHAT CODE - the last answer has this status.
status() { is "$1" "$STATUS" "$2"; }

# is WHAT GOT WANT - two texts are the same.
is() { if [ "$2" = "$3" ]; then pass "$1"; else die "$1: got \"$2\", want \"$3\""; fi; }

# has WHAT WORDS… - the last body has each of these texts in it; lacks has none of them.
has() {
    local what=$1 words
    shift
    for words in "$@"; do
        grep -qF -- "$words" <<<"$BODY" || die "$what: the body lacks $words"
    done
    pass "$what"
}
lacks() {
    local what=$1 words
    shift
    for words in "$@"; do
        ! grep -qF -- "$words" <<<"$BODY" || die "$what: the body has $words"
    done
    pass "$what"
}

# matches WHAT VALUE PATTERN - an extended regular expression describes the whole value.
matches() { if grep -qxE -- "$3" <<<"$2"; then pass "$1"; else die "$1: got \"$2\", want $3"; fi; }

# quiet WHAT - the last answer is what a server says that has nothing to say.
quiet() { is "$1" "$STATUS $(header content-type) $BODY" "200 application/json null"; }

# refused WHAT CODE WORDS - the last answer is an error with this status, whose text has these words.
refused() {
    is "$1: status" "$STATUS" "$2"
    has "$1: body" "\"status\":$2" "$3"
}

pass() {
    CHECKS=$((CHECKS + 1))
    echo "ok $CHECKS - $1"
}

die() {
    {
        echo "not ok - $1"
        echo "  sent:     $SENT"
        echo "  answered: $STATUS $(tr -d '\r' <"$work/headers" 2>/dev/null | sed 1d | tr '\n' ';')"
        echo "  body:     $(head -c 2000 "$work/body" 2>/dev/null)"
    } >&2
    exit 1
}
