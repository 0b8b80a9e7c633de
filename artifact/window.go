package artifact

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Pauses between attempts at a source.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 5 * time.Second
)

// window is the time in which a source is asked again. It begins anew whenever the source got further than ever before.
type window struct {
	patience time.Duration
	until    time.Time
	best     int64 // bytes of the content when it was furthest
	attempts int   // begun
	failures int   // since the window began
}

func newWindow(patience time.Duration) window {
	return window{patience: patience, until: time.Now().Add(patience)}
}

// reached says how many bytes of the content are there after an attempt that just ended.
func (w *window) reached(got int64) {
	if got > w.best {
		w.best, w.until, w.failures = got, time.Now().Add(w.patience), 0
	}
}

// next returns how long to wait before the next attempt, and whether there is one.
func (w *window) next(err error) (time.Duration, bool) {
	if fault.KindOf(err) != fault.Unavailable {
		return 0, false
	}
	pause := min(firstPause<<min(w.failures, 10), lastPause)
	pause = pause/2 + rand.N(pause/2+1) //nolint:gosec // jitter
	w.failures++
	return pause, time.Until(w.until) > pause
}

// extend begins the window anew after a pause that the source asked for.
func (w *window) extend(pause time.Duration) { w.until = time.Now().Add(pause + w.patience) }

// left is how long an attempt may wait for an answer.
func (w *window) left() time.Duration { return max(time.Until(w.until), time.Second) }

// tried says for people how long a source was asked, if it was more than once.
func (w *window) tried(since time.Time) string {
	if w.attempts < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d attempts in %s)", w.attempts, time.Since(since).Round(time.Second))
}
