package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Time is a moment, in JSON a float of Unix seconds with up to six decimals and at least one, such as 1685229509.9. The
// zero Time is 0.0, which stands for never.
type Time struct{ time.Time }

// At returns t as a Time.
func At(t time.Time) Time { return Time{t} }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("0.0"), nil
	}
	micros := t.UnixMicro()
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	text := fmt.Sprintf("%s%d.%06d", sign, micros/1e6, micros%1e6)
	return []byte(trimZeros(text)), nil
}

// UnmarshalJSON implements json.Unmarshaler. It takes any JSON number; 0 is the zero Time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(seconds) > math.MaxInt64/1e6 {
		return fmt.Errorf("%s is not a time: want Unix seconds as a number", b)
	}
	if seconds == 0 {
		*t = Time{}
		return nil
	}
	t.Time = time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
	return nil
}

// Float is a number that is a float in JSON even when it is whole, such as 2097152.0, and never has an exponent.
type Float float64

// MarshalJSON implements json.Marshaler. It fails for infinities and for what is not a number.
func (f Float) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(f), 0) || math.IsNaN(float64(f)) {
		return nil, fmt.Errorf("%v has no form in JSON", float64(f))
	}
	text := strconv.FormatFloat(float64(f), 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return []byte(text), nil
}

// trimZeros removes trailing zeros of a decimal fraction, but not the first decimal.
func trimZeros(text string) string {
	text = strings.TrimRight(text, "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}

// List is a list that is [] in JSON when it is nil.
type List[T any] []T

// MarshalJSON implements json.Marshaler.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return marshal([]T(l))
}

// none is the JSON of a nil List.
func (List[T]) none() string { return "[]" }

// Object is a JSON object of any content, {} when it is nil. Read from JSON, its numbers are of type json.Number, at every
// depth, so that nanosecond counters keep all their digits.
type Object map[string]any

// MarshalJSON implements json.Marshaler. Keys are sorted.
func (o Object) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("{}"), nil
	}
	return marshal(map[string]any(o))
}

func (Object) none() string { return "{}" }

// UnmarshalJSON implements json.Unmarshaler.
func (o *Object) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode((*map[string]any)(o))
}

// Strings is an object whose values are strings, {} when it is nil.
type Strings map[string]string

// MarshalJSON implements json.Marshaler. Keys are sorted.
func (s Strings) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("{}"), nil
	}
	return marshal(map[string]string(s))
}

func (Strings) none() string { return "{}" }

// ByIndex is an object whose keys are whole numbers, in JSON their decimal text in ascending order; {} when it is nil.
type ByIndex[T any] map[int]T

// MarshalJSON implements json.Marshaler. The standard library would sort the keys as text, 10 before 9.
func (m ByIndex[T]) MarshalJSON() ([]byte, error) {
	out := []byte("{")
	for n, index := range slices.Sorted(maps.Keys(m)) {
		value, err := marshal(m[index])
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out = append(out, ',')
		}
		out = append(strconv.AppendQuote(out, strconv.Itoa(index)), ':')
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

// Null is always null in JSON. A *Null with omitempty tells null from absent.
type Null struct{}

// MarshalJSON implements json.Marshaler.
func (Null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// marshal encodes v without the escapes that only matter inside HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
