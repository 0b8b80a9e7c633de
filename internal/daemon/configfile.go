package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// environment returns the settings among variables of the form KEY=VALUE.
func environment(variables []string) map[string]string {
	values := map[string]string{}
	for _, v := range variables {
		if key, value, ok := strings.Cut(v, "="); ok && strings.HasPrefix(key, keyPrefix) && value != "" {
			values[key] = value
		}
	}
	return values
}

// configFile returns the settings in a file of lines KEY=VALUE, where "export " before the key, quotes around the value,
// blank lines and lines that begin with # are allowed. An empty value is the same as none.
func configFile(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	values := map[string]string{}
	var problems []error
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" || strings.ContainsAny(key, " \t") {
			problems = append(problems, fmt.Errorf("%s, line %d: not of the form KEY=VALUE", path, number))
			continue
		}
		if value = unquoted(strings.TrimSpace(value)); value != "" {
			values[key] = value
		}
	}
	return values, errors.Join(problems...)
}

func unquoted(value string) string {
	for _, q := range []string{`"`, `'`} {
		if len(value) >= 2 && strings.HasPrefix(value, q) && strings.HasSuffix(value, q) {
			return value[1 : len(value)-1]
		}
	}
	return value
}
