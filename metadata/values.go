package metadata

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
)

// Values is an object's metadata: strings, bools, float64s, lists and objects of such, as package json has them. Whole
// numbers that a float64 can't hold are json.Numbers, so that they come back as they were given.
type Values map[string]any

// UnmarshalJSON implements json.Unmarshaler.
func (v *Values) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		return err
	}
	for k := range values {
		values[k] = exact(values[k])
	}
	*v = values
	return nil
}

// maxExact is the largest whole number of which a float64 tells every neighbour.
const maxExact = 1<<53 - 1

// exact turns the numbers within v into float64s where that changes nothing.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil || math.Abs(f) > maxExact && !strings.ContainsAny(v.String(), ".eE") {
			return v
		}
		return f
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}
