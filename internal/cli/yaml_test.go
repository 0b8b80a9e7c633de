package cli

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestYAMLHoldsWhatJSONDoes(t *testing.T) {
	t.Parallel()
	for _, value := range []any{
		nil, true, "", "on", "no", "null", "~", "0123", "1e3", "0x10", "1_000", ".5", "12:30", "2023-05-27", "a: b", "- x", "# no comment", "a #b",
		" space ", "tab\tbed", "two\nlines", "two\nlines\n", "\n", "\x1b[31mred", "\u2028", "emoji 😀", `quote " and '`, "back\\slash", "[]", "{}", "%x", "@x",
		"&a", "*a", "!x", "|", ">", "?", "-", "---", "=", "<<", "true ", "é", "trailing:", "{a: b}", "key: [1", "\u0000", "\u0085", "\ufeffbom",
		map[string]any{},
		[]any{},
		[]any{"a", []any{"b", map[string]any{"c": nil}}},
		map[string]any{"yes": 1, "": 2, "a: b": 3, "1": "x", "null": 4},
		map[string]any{"b": []any{map[string]any{"z": 1, "a": "x\ny"}}, "a": 1.5},
		json.RawMessage("1685188800.123456"), json.RawMessage("33554432.0"), json.RawMessage("-1"), json.RawMessage("9007199254740993"),
	} {
		checkYAML(t, map[string]any{"value": value, "list": []any{value}})
	}
}

func TestYAMLHoldsAnyText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-\[\]{}#&*!|>'"%@\x60:,? \n\t\\a-z0-9~.]{0,12}`))
		checkYAML(t, map[string]any{"value": text.Draw(t, "value"), text.Draw(t, "key"): []any{text.Draw(t, "element")}})
	})
}

// checkYAML prints a value, reads it back and compares it.
func checkYAML(t require.TestingT, value map[string]any) {
	var out bytes.Buffer
	a := &app{out: &output{w: &out}, format: formatYAML}
	require.NoError(t, a.data(value))
	var got map[string]any
	require.NoError(t, yaml.Unmarshal(out.Bytes(), &got), "%q", &out)
	want, err := json.Marshal(value)
	require.NoError(t, err)
	again, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(again), "%q", &out)
}

func TestYAMLHasNumbersAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{out: &output{w: &out}, format: formatYAML}
	if err := a.data([]any{json.RawMessage(`{"seen": 1685188800.123456, "size": 33554432.0, "b": [1, "1", "12:30"]}`)}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "- b:\n  - 1\n  - \"1\"\n  - \"12:30\"\n  seen: 1685188800.123456\n  size: 33554432.0\n"; got != want {
		t.Errorf("got\n%s", got)
	}
}
