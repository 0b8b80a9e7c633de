package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/step"
)

// small makes files that are full after a few records.
func small(dir string) Options {
	return Options{
		Dir: dir, Budget: 1 << 20, Log: slog.New(slog.DiscardHandler),
		Series: []Series{{"status", 24 * time.Hour}, {"audit", -1}},
	}
}

func open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// record is the nth of an object; a higher n is newer.
func record(object string, n int) Record {
	return Record{
		Object: object, ID: fmt.Sprintf("%06d-n1", 999999-n), At: time.Now(),
		Value: []byte(fmt.Sprintf("%s %d %s", object, n, strings.Repeat("x", 100))),
	}
}

func records(object string, from, to int) []Record {
	var all []Record
	for n := from; n < to; n++ {
		all = append(all, record(object, n))
	}
	return all
}

// folder is one in memory, where there is such a thing: these tests sync often.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "events-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// numbers returns the ns of what is listed.
func numbers(t *testing.T, l *Log, object string, limit int, series ...string) []int {
	t.Helper()
	if series == nil {
		series = []string{"status", "audit"}
	}
	found, err := l.Newest(t.Context(), object, limit, series...)
	require.NoError(t, err)
	ns := []int{}
	for _, r := range found {
		var o string
		var n int
		_, err := fmt.Sscanf(string(r.Value), "%s %d", &o, &n)
		require.NoError(t, err)
		require.Equal(t, object, o)
		require.Equal(t, object, r.Object)
		require.Equal(t, fmt.Sprintf("%06d-n1", 999999-n), r.ID)
		ns = append(ns, n)
	}
	return ns
}

// down counts from from-1 down to to.
func down(from, to int) []int {
	ns := []int{}
	for n := from - 1; n >= to; n-- {
		ns = append(ns, n)
	}
	return ns
}

func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	return all
}

func logged(o Options) (Options, *bytes.Buffer) {
	var b bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&b, nil))
	return o, &b
}

var errDead = errors.New("the process is dead")

// killedAt returns a context in which nothing has an effect from before, or after, the nth step on, counted from 0.
func killedAt(ctx context.Context, nth int, after bool) (_ context.Context, steps *[]string) {
	steps = new([]string)
	dead := false
	return step.WithHook(ctx, func(_ context.Context, s step.Step) error {
		if dead {
			return errDead
		}
		if !s.After {
			*steps = append(*steps, s.Name)
		}
		if len(*steps) == nth+1 && s.After == after {
			dead = true
			return errDead
		}
		return nil
	}), steps
}
