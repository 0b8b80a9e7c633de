package server

import (
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shakenfist/shakenfist/fault"
)

// decode checks an object against its description. Within names the object in errors, such as "disk 2"; "" for the
// arguments themselves.
func decode(within string, raw map[string]any, known []arg) (args, error) {
	for _, name := range sortedKeys(raw) {
		if !slices.ContainsFunc(known, func(a arg) bool { return a.name == name }) {
			return nil, invalid("%sunknown argument %.80q; use %s", prefix(within), name, names(known))
		}
	}
	decoded := args{}
	for _, a := range known {
		v, err := a.value(within, raw[a.name])
		if err != nil {
			return nil, err
		}
		if v != nil {
			decoded[a.name] = v
		}
		if v == nil && a.must {
			return nil, a.absent(within)
		}
	}
	return decoded, nil
}

func (a arg) absent(within string) error {
	if a.missing != "" {
		return invalid("%s%s", prefix(within), a.missing)
	}
	return invalid("%smissing %s in request", prefix(within), a.name)
}

// value returns what v means as this argument, nil for nothing.
func (a arg) value(within string, v any) (any, error) {
	if v == nil || a.kind == argIgnored || v == "" && (a.empty || a.must) {
		return nil, nil
	}
	ok := true
	if text, _ := v.(string); !utf8.ValidString(text) { // from the query; JSON can't say such things
		return nil, invalid("%s%s is not valid UTF-8", prefix(within), a.name)
	}
	switch a.kind {
	case argText:
		_, ok = v.(string)
	case argBool:
		return truthy(v), nil
	case argInt:
		n, whole := wholeNumber(v)
		if !whole {
			return nil, invalid("%s%s is not an integer", prefix(within), a.name)
		}
		return n, nil
	case argList:
		_, ok = v.([]any)
	case argObject:
		_, ok = v.(map[string]any)
	case argAny, argIgnored:
	}
	if !ok {
		return nil, invalid("%s%s is not %s", prefix(within), a.name, a.kind.article())
	}
	return v, nil
}

// article is how errors speak of a kind.
func (k argKind) article() string {
	if k == argList {
		return "a list"
	}
	if k == argObject {
		return "an object"
	}
	return "a " + string(k)
}

// truthy judges a value that should be a boolean as clients in scripting languages would.
func truthy(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return v != nil
}

// maxWhole is the largest whole number that every JSON reader keeps exact.
const maxWhole = 1<<53 - 1

func wholeNumber(v any) (int, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return 0, false
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n, n <= maxWhole && n >= -maxWhole
	}
	if _, isText := v.(string); isText {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64) // 20.0 and 2e1 are whole too
	if err != nil || f != math.Trunc(f) || math.Abs(f) > maxWhole {
		return 0, false
	}
	return int(f), true
}

// fromQuery adds the arguments in a query string to raw; those of the body win. Lists and objects are JSON text there,
// and the words for no are false.
func fromQuery(raw map[string]any, query url.Values, known []arg) {
	for name, values := range query {
		if _, given := raw[name]; given || len(values) == 0 {
			continue
		}
		kind := argText
		if i := slices.IndexFunc(known, func(a arg) bool { return a.name == name }); i >= 0 {
			kind = known[i].kind
		}
		raw[name] = queryValue(kind, values[0])
	}
}

func queryValue(kind argKind, text string) any {
	switch kind {
	case argBool:
		switch strings.ToLower(text) {
		case "", "0", "false", "no", "off":
			return false
		}
	case argList, argObject, argAny:
		if v, ok := parse([]byte(text)); ok {
			return v
		}
	case argText, argInt, argIgnored:
	}
	return text
}

func invalid(format string, values ...any) error {
	return fault.New("server.decode", fault.Invalid, "", format, values...)
}

func prefix(within string) string {
	if within == "" {
		return ""
	}
	return within + ": "
}

func names(known []arg) string {
	var list []string
	for _, a := range known {
		if a.kind != argIgnored {
			list = append(list, a.name)
		}
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
