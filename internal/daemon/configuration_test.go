package daemon

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

const configurationIntro = `# Configuration

Generated from the code by ` + "`make golden`" + `. One machine needs none of this: ` + "`sf-daemon`" + ` works as it is.

Settings are environment variables, or lines ` + "`KEY=VALUE`" + ` of a file: ` + "`" + defaultConfigFile + "`" + ` if it is there, or the one that ` +
	"`--config`" + ` names. In the
file, ` + "`export `" + ` before a key, quotes around a value, blank lines and lines that begin with # are allowed. The environment wins over the
file, and an empty value is the same as none. The daemon refuses to start, and says all that is wrong, when a value makes no sense; of a
setting that it doesn't know it warns.

| setting | value | default | meaning |
|---|---|---|---|
`

// docs/configuration.md lists the settings that there are, with their defaults and the comments in the code.
func TestConfigurationIsDocumented(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configuration.md"
	want := configurationIntro + settingsTable(t) + "\n## sf-daemon --help\n\n```\n" + helpText(t) + "```\n"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(have), "docs/configuration.md is out of date; run make golden and look at the difference")
}

func settingsTable(t *testing.T) string {
	t.Helper()
	comments := fieldComments(t)
	var b strings.Builder
	for f := range reflect.TypeFor[config]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		require.NotEmpty(t, comments[f.Name], "%s has no comment in config.go", f.Name)
		preset := "none"
		if d := f.Tag.Get("envDefault"); d != "" {
			preset = "`" + d + "`"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s | %s |\n", keyPrefix, name, valueOf(f.Type), preset, comments[f.Name])
	}
	return b.String()
}

func valueOf(t reflect.Type) string {
	if words, ok := kinds[t.String()]; ok {
		return words
	}
	return "text"
}

// fieldComments returns the comment behind each field of config.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	require.NoError(t, err)
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "config" {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		require.True(t, ok)
		for _, f := range fields.Fields.List {
			comments[f.Names[0].Name] = strings.TrimSpace(f.Comment.Text())
		}
		return false
	})
	return comments
}

func helpText(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	_, err := parseFlags([]string{"--help"}, &b)
	require.ErrorIs(t, err, flag.ErrHelp)
	return strings.ReplaceAll(b.String(), "\t", "    ")
}
