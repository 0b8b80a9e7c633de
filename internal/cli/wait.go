package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/client"
)

// waiting is what the flags --wait and --timeout say.
type waiting struct {
	wait    bool
	timeout patience // 0: not given
}

// flags adds the flags of commands that may wait until something is done.
func (w *waiting) flags(f *pflag.FlagSet) {
	f.BoolVar(&w.wait, "wait", false, "wait until it is done, whatever --async says, for an hour at most")
	f.Var(&w.timeout, "timeout", "wait at most this long, as in 90 or 1m30s; means --wait, and exit code 3 if it takes longer")
}

// asked reports whether the user said that the program shall wait: then it is an error if the time runs out.
func (w waiting) asked() bool { return w.wait || w.timeout > 0 }

// limit returns how long to wait if that was asked for.
func (w waiting) limit() time.Duration {
	if w.timeout > 0 {
		return time.Duration(w.timeout)
	}
	return client.Block.Patience()
}

// patience is a flag's value that is a time to wait: in Go's form, or in seconds.
type patience time.Duration

// String returns the time, nothing for none.
func (p *patience) String() string {
	if *p == 0 {
		return ""
	}
	return time.Duration(*p).String()
}

// Set reads a time.
func (p *patience) Set(text string) error {
	d, err := time.ParseDuration(text)
	const most = 1e9 // seconds; far less than a Duration holds
	if seconds, numeric := strconv.ParseFloat(text, 64); numeric == nil && seconds < most {
		d, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || d <= 0 {
		return errors.New("want seconds, as in 90, or a duration, as in 1m30s")
	}
	*p = patience(d)
	return nil
}

// Type is what the help calls the value.
func (p *patience) Type() string { return "time" }

// timeoutError is a wait that took longer than the user was willing to.
type timeoutError struct {
	what  string // that is waited for; "" before the server said that it will be done
	limit time.Duration
}

func (e timeoutError) Error() string {
	if e.what == "" {
		return fmt.Sprintf("Not done after %v; if the server has the request, it goes on", e.limit)
	}
	return fmt.Sprintf("%s is not done after %v; it goes on", e.what, e.limit)
}

// within calls f with a context that ends when the flags say that the user's patience does.
func (a *app) within(ctx context.Context, f func(ctx context.Context) error) error {
	if !a.waiting.asked() {
		return f(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, a.waiting.limit())
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && limited.Err() != nil {
		if _, named := errors.AsType[timeoutError](err); !named {
			return timeoutError{limit: a.waiting.limit()}
		}
	}
	return err
}

// wait calls f, which waits until what is done. It ends when the user's patience does: that is an error if the flags say
// how long to wait. If the async strategy says it, it is none: what was asked for goes on, which stderr is told.
func (a *app) wait(ctx context.Context, what string, f func(ctx context.Context, p *progress) error) error {
	strategy, err := a.patience()
	if err != nil {
		return err
	}
	p := a.progress(what)
	if a.waiting.asked() {
		err := f(ctx, p)
		p.clear()
		if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return timeoutError{what, a.waiting.limit()}
		}
		return err
	}
	if strategy == client.Continue {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, strategy.Patience())
	defer cancel()
	err = f(limited, p)
	p.clear()
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		a.tellf("%s is not done after %v; it goes on. Use --wait to wait longer.\n", what, strategy.Patience())
		return nil
	}
	return err
}
