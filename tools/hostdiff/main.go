// Hostdiff tells scripts what changed on this host.
//
//	hostdiff places                                     the names of the places looked at
//	hostdiff take [flags] >before.json                  look at them
//	hostdiff settle [flags] [-wait 10s] before.json     look again until nothing differs; print what does; exit 1 if so
//	hostdiff compare before.json after.json             print what differs; exit 1 if anything does
//
// The flags -ignore and -dir may be given several times.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/shakenfist/shakenfist/internal/hostdiff"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run does what args say and returns the exit code: 0, 1 for differences, 2 for a failure.
func run(ctx context.Context, args []string, out, complaints io.Writer) int {
	changes, err := dispatch(ctx, args, out)
	if err != nil {
		_, _ = fmt.Fprintln(complaints, "hostdiff:", err)
		return 2
	}
	for _, c := range changes {
		_, _ = fmt.Fprintln(out, c)
	}
	if len(changes) > 0 {
		return 1
	}
	return 0
}

func dispatch(ctx context.Context, args []string, out io.Writer) ([]hostdiff.Change, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("say one of: places, take, settle, compare")
	}
	var o hostdiff.Options
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.Func("ignore", "a `place` not to look at", func(s string) error { o.Ignore = append(o.Ignore, s); return nil })
	flags.Func("dir", "a `folder` to look at all the way down", func(s string) error { o.Dirs = append(o.Dirs, s); return nil })
	wait := flags.Duration("wait", 10*time.Second, "how long settle looks")
	if err := flags.Parse(args[1:]); err != nil {
		return nil, err
	}
	switch command, files := args[0], flags.Args(); {
	case command == "places" && len(files) == 0:
		for _, p := range hostdiff.Places() {
			if _, err := fmt.Fprintln(out, p.Name); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case command == "take" && len(files) == 0:
		s, err := hostdiff.Take(ctx, o)
		if err != nil {
			return nil, err
		}
		return nil, json.NewEncoder(out).Encode(s)
	case command == "settle" && len(files) == 1:
		before, err := read(files[0])
		if err != nil {
			return nil, err
		}
		return hostdiff.Settle(ctx, before, o, *wait)
	case command == "compare" && len(files) == 2:
		before, err := read(files[0])
		if err != nil {
			return nil, err
		}
		after, err := read(files[1])
		return hostdiff.Compare(before, after), err
	}
	return nil, fmt.Errorf("%s: wrong number of files, or no such command", args[0])
}

// read returns the snapshot in a file.
func read(file string) (hostdiff.Snapshot, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var s hostdiff.Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%s is not a snapshot: %w", file, err)
	}
	return s, nil
}
