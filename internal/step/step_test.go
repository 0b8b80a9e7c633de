package step_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/step"
)

func TestWithoutAHookAStepIsJustTheCall(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	ctx := step.WithHook(t.Context(), nil)
	require.Equal(t, t.Context(), ctx)
	require.NoError(t, step.Do(ctx, "rename", "a", func() error { return nil }))
	require.ErrorIs(t, step.Do(ctx, "rename", "a", func() error { return failed }), failed)
}

func TestAHookHearsOfAStepBeforeAndAfterItsEffect(t *testing.T) {
	t.Parallel()
	before, after := step.Step{Name: "rename", Ref: "a"}, step.Step{Name: "rename", Ref: "a", After: true}
	hooked, failed := errors.New("hooked"), errors.New("failed")
	for name, c := range map[string]struct {
		refuse  map[step.Step]error
		effect  error
		heard   []any
		outcome error
	}{
		"all is well":                        {nil, nil, []any{before, "effect", after}, nil},
		"the hook prevents the effect":       {map[step.Step]error{before: hooked}, nil, []any{before}, hooked},
		"the hook fails after the effect":    {map[step.Step]error{after: hooked}, nil, []any{before, "effect", after}, hooked},
		"what had no effect is not after it": {nil, failed, []any{before, "effect"}, failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var heard []any
			ctx := step.WithHook(t.Context(), func(_ context.Context, s step.Step) error {
				heard = append(heard, s)
				return c.refuse[s]
			})
			err := step.Do(ctx, "rename", "a", func() error {
				heard = append(heard, "effect")
				return c.effect
			})
			require.Equal(t, c.outcome, err)
			require.Equal(t, c.heard, heard)
		})
	}
}

func TestANameGivenByTheCallerWins(t *testing.T) {
	t.Parallel()
	name, ref := step.NameOf(t.Context(), "commit", "")
	require.Equal(t, "commit", name)
	require.Empty(t, ref)
	name, ref = step.NameOf(step.Named(t.Context(), "commit create instance", "u1"), "commit", "")
	require.Equal(t, "commit create instance", name)
	require.Equal(t, "u1", ref)
}
