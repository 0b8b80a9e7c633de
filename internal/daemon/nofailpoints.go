//go:build !failpoints

package daemon

import "github.com/shakenfist/shakenfist/internal/step"

// hook returns none: only a program built with the tag failpoints can be made to fail.
func hook() (step.Hook, error) { return nil, nil }
