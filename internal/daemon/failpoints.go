//go:build failpoints

package daemon

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// failpoint is what SF_FAILPOINT asks for: NAME#N:before:kill acts before the effect of the Nth step of that name. Instead of
// kill there are fail, which makes the step fail, and hang, which makes it wait until its context ends.
type failpoint struct {
	name   string
	nth    int
	after  bool
	action string
}

// hook returns the hook that acts at SF_FAILPOINT and appends each step to SF_STEPS_FILE: name, object, before or after, and
// when since the start, separated by tabs.
func hook() (step.Hook, error) {
	point, err := parseFailpoint(os.Getenv("SF_FAILPOINT"))
	if err != nil {
		return nil, err
	}
	var record *os.File
	if path := os.Getenv("SF_STEPS_FILE"); path != "" {
		if record, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	reached, start := 0, time.Now()
	return func(ctx context.Context, s step.Step) error {
		mu.Lock()
		if record != nil {
			_, _ = fmt.Fprintf(record, "%s\t%s\t%s\t%s\n", s.Name, s.Ref, side(s.After), time.Since(start))
		}
		hit := false
		if s.Name == point.name && s.After == point.after {
			reached++
			hit = reached == point.nth
		}
		mu.Unlock()
		if !hit {
			return nil
		}
		return point.act(ctx, s)
	}, nil
}

func side(after bool) string {
	if after {
		return "after"
	}
	return "before"
}

func (p failpoint) act(ctx context.Context, s step.Step) error {
	switch p.action {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal arrives
	case "hang":
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return fault.New("failpoint", fault.Unavailable, s.Ref, "step %q was made to fail", s.Name)
}

func parseFailpoint(text string) (failpoint, error) {
	if text == "" {
		return failpoint{}, nil
	}
	wrong := fmt.Errorf("SF_FAILPOINT=%q is not of the form NAME#N:before|after:kill|fail|hang", text)
	name, rest, ok := strings.Cut(text, "#")
	parts := strings.Split(rest, ":")
	if !ok || name == "" || len(parts) != 3 {
		return failpoint{}, wrong
	}
	p := failpoint{name: name, after: parts[1] == "after", action: parts[2]}
	var err error
	if p.nth, err = strconv.Atoi(parts[0]); err != nil || p.nth < 1 {
		return failpoint{}, wrong
	}
	if parts[1] != side(p.after) || (p.action != "kill" && p.action != "fail" && p.action != "hang") {
		return failpoint{}, wrong
	}
	return p, nil
}
