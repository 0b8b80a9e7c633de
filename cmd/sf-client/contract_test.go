package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/internal/cli"
	"github.com/shakenfist/shakenfist/internal/contract"
)

// TestCommandsAreThoseOfTheContract asks each command for help: it exists and has its options, or is of a later issue and
// does not.
func TestCommandsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	for _, row := range contract.Commands() {
		help, ok := helpOf(t, row.Name)
		if ok != row.Done() {
			t.Errorf("sf-client %s: there %v, want %v (issue %d)", row.Name, ok, row.Done(), row.Issue)
			continue
		}
		for _, option := range row.Options {
			if ok && !regexp.MustCompile(`(?m)^ +(-\w, )?`+regexp.QuoteMeta(option)+`\b`).MatchString(help) {
				t.Errorf("sf-client %s has no %s:\n%s", row.Name, option, help)
			}
		}
	}
}

// helpOf returns what a command says of itself, false if there is none of this name.
func helpOf(t *testing.T, name string) (string, bool) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := cli.Main(append(strings.Fields(name), "--help"), strings.NewReader(""), &stdout, &stderr); code != 0 {
		return "", false
	}
	return stdout.String(), strings.Contains(stdout.String(), "\n  sf-client "+name)
}

// TestEveryCommandIsRunInEachFormat reads the scripts that the contract names.
func TestEveryCommandIsRunInEachFormat(t *testing.T) {
	t.Parallel()
	for _, row := range contract.Commands() {
		if !row.Done() {
			continue
		}
		formats := formatsIn(t, filepath.Join("testdata", filepath.FromSlash(row.Script)), row.Name)
		for _, format := range []string{"pretty", "simple", "json"} {
			if !slices.Contains(formats, format) {
				t.Errorf("sf-client %s: testdata/%s does not run it with --%s, but with %v", row.Name, row.Script, format, formats)
			}
		}
	}
}

// formatsIn returns the formats in which a script runs a command with success.
func formatsIn(t *testing.T, script, name string) []string {
	t.Helper()
	content, err := os.ReadFile(script)
	if err != nil {
		t.Error(err)
		return nil
	}
	var formats []string
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, "-- ") {
			break // files follow
		}
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "sf-client" {
			continue
		}
		format, command := splitCommand(words[1:])
		if command == name || strings.HasPrefix(command, name+" ") {
			formats = append(formats, format)
		}
	}
	return formats
}

// splitCommand tells what format the words of a command line ask for, and what they are without the global options.
func splitCommand(words []string) (format, command string) {
	format = "pretty"
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		switch option := words[0]; {
		case slices.Contains([]string{"--pretty", "--simple", "--json"}, option):
			format = option[2:]
		case slices.Contains([]string{"-o", "--output", "--namespace", "--key", "--apiurl", "--config", "--async", "--async-strategy", "--columns", "--timeout"}, option):
			words = words[1:] // with its value
			if option == "-o" || option == "--output" {
				format = words[0]
			}
		}
		words = words[1:]
	}
	return format, strings.Join(words, " ")
}
