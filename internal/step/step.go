// Package step names the moments at which the process could die.
//
// A step is every store commit, every call through a seam, every file rename and every exec. Code announces one by
// running it through Do. In production there is no hook and Do just calls the function; a test's hook records the
// steps, fails them, or ends the process before or after their effect.
package step

import "context"

// Step is one moment.
type Step struct {
	Name  string // what is done, such as "hypervisor.Start" or "rename blob"
	Ref   string // the object it is done to: a UUID, a key; "" if none
	After bool   // false before the effect, true after it
}

// Hook is told of each step before and after its effect. An error before it prevents the effect; an error after it is
// reported to the caller although the effect took place.
type Hook func(ctx context.Context, s Step) error

type hookKey struct{}

// WithHook returns a context whose steps are announced to h. A nil h changes nothing.
func WithHook(ctx context.Context, h Hook) context.Context {
	if h == nil {
		return ctx
	}
	return context.WithValue(ctx, hookKey{}, h)
}

// Do runs f as the step of that name on the object ref.
func Do(ctx context.Context, name, ref string, f func() error) error {
	h, _ := ctx.Value(hookKey{}).(Hook)
	if h == nil {
		return f()
	}
	if err := h(ctx, Step{Name: name, Ref: ref}); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return h(ctx, Step{Name: name, Ref: ref, After: true})
}

type nameKey struct{}

// Named returns a context in which the next call through a seam is the step of that name, where the seam's own name for it
// would say too little.
func Named(ctx context.Context, name, ref string) context.Context {
	return context.WithValue(ctx, nameKey{}, Step{Name: name, Ref: ref})
}

// NameOf returns the name given by Named, or else the given one.
func NameOf(ctx context.Context, name, ref string) (string, string) {
	if s, ok := ctx.Value(nameKey{}).(Step); ok {
		return s.Name, s.Ref
	}
	return name, ref
}
