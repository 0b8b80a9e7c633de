package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"

	"github.com/shakenfist/shakenfist/api"
)

// output remembers the first failure to write, so that commands need not look at each line's.
type output struct {
	w      io.Writer
	failed error
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	if o.failed != nil {
		return 0, o.failed
	}
	n, err := o.w.Write(b)
	if err != nil {
		o.failed = failed("Cannot write the output: %v", err)
		return n, o.failed
	}
	return n, nil
}

// printf prints to stdout. Whether that works is looked at once, at the end.
func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.out, format, args...) // a.out remembers the error
}

// tellf prints to stderr. If that does not work there is nobody left to tell.
func (a *app) tellf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.err, format, args...)
}

// data prints v with its keys sorted: as YAML if that is the format, otherwise as JSON.
func (a *app) data(v any) error {
	sorted, err := generic(v)
	if err != nil {
		return err
	}
	if a.format == formatYAML {
		return yaml.NewEncoder(a.out).Encode(forYAML(sorted))
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(sorted)
}

// generic returns what the JSON of v decodes to: objects are maps, which are encoded in the order of their keys.
func generic(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var decoded any
	err = d.Decode(&decoded)
	return decoded, err
}

// digits are a number in JSON, which YAML shall have as they are: without an exponent that people can't read.
type digits string

// MarshalYAML implements yaml.BytesMarshaler.
func (d digits) MarshalYAML() ([]byte, error) { return []byte(d), nil }

// forYAML makes of what generic returned what the YAML encoder can be trusted with.
func forYAML(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			if risky(key) {
				return flow{v}
			}
		}
		for key, value := range v {
			v[key] = forYAML(value)
		}
	case []any:
		for n, value := range v {
			v[n] = forYAML(value)
		}
	case json.Number:
		return digits(v)
	case string:
		if risky(v) {
			return flow{v}
		}
	}
	return v
}

// flow is a value that is written to YAML as in JSON, which YAML reads just so.
type flow struct{ value any }

// MarshalYAML implements yaml.BytesMarshaler.
func (f flow) MarshalYAML() ([]byte, error) { return json.Marshal(f.value) }

// risky reports whether a text is other than one line of plain words, as names, UUIDs, URLs and times are: what YAML makes
// of any other without quotes is where encoders and decoders differ. To old ones, digits with
// colons between them are a number, as in some MAC addresses, and dates are no text.
func risky(s string) bool {
	if strings.Contains(s, ":") && strings.Trim(s, "0123456789abcdef:") == "" || strings.ContainsAny(s, "-_:") && strings.Trim(s, "0123456789-_. :") == "" {
		return true
	}
	for n, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case n == 0 || n == len(s)-1: // where spaces and indicators matter most
			return true
		case !strings.ContainsRune(" _./:@()+=-", r), r == ':' && s[n+1] == ' ':
			return true
		}
	}
	return false
}

// pick returns the object that v is in JSON with some of its keys only.
func pick(v any, keys ...string) (api.Object, error) {
	all, err := generic(v)
	if err != nil {
		return nil, err
	}
	object, _ := all.(map[string]any) // without keys if it is none
	some := api.Object{}
	for _, key := range keys {
		if value, ok := object[key]; ok {
			some[key] = value
		}
	}
	return some, nil
}

// plain returns a JSON value as text: strings as they are, anything else as JSON.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// harmless replaces control characters, by which text from a server or an image could steer a terminal.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) {
			return r
		}
		return '\uFFFD'
	}, s)
}
