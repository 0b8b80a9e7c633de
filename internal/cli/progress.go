package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress is a line on a terminal that says how long something has been going on.
type progress struct {
	w     io.Writer // nil shows nothing
	width int       // of the terminal; a line that wraps can't be replaced
	what  string
	start time.Time
}

func (a *app) progress(what string) *progress {
	p := &progress{what: what, start: time.Now(), width: narrow}
	if a.tty(a.err) {
		p.w = a.err
		if width := a.width(a.err); width > 0 {
			p.width = width
		}
	}
	return p
}

// narrow is the width of the narrowest terminal in use, in characters.
const narrow = 80

// show replaces the line by one about a state.
func (p *progress) show(state, note string) {
	line := fmt.Sprintf("%s is %s, %v", p.what, state, time.Since(p.start).Round(time.Second))
	if note != "" {
		line += ": " + note
	}
	p.replace(line)
}

// clear removes the line.
func (p *progress) clear() { p.replace("") }

// replace replaces the line.
func (p *progress) replace(line string) {
	if p.w == nil {
		return
	}
	line = strings.ReplaceAll(harmless(line), "\n", " ")
	if runes := []rune(line); len(runes) >= p.width {
		line = string(runes[:p.width-2]) + "…"
	}
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", line) // if a terminal goes away nobody is watching
}

// redraw is how often at most a transfer's line is replaced.
const redraw = 200 * time.Millisecond

// settled is how long a transfer must have been going on for its rate to mean something.
const settled = 50 * time.Millisecond

// transfer is the line of bytes on their way. It is an io.Writer that counts what is written to it, to stand beside the
// real one in an io.MultiWriter. It is for one goroutine.
type transfer struct {
	p     *progress
	total int64 // bytes; 0 if not known
	kept  int64 // bytes of total that were there at the start: they say nothing about the rate
	moved int64 // bytes since then
	shown time.Time
}

// transfer returns the line of a transfer of total bytes, kept of which are there already. The caller calls clear on it.
func (a *app) transfer(what string, total, kept int64) *transfer {
	return &transfer{p: a.progress(what), total: total, kept: kept}
}

// Write counts b. It does not fail.
func (t *transfer) Write(b []byte) (int, error) {
	t.moveTo(t.kept + t.moved + int64(len(b)))
	return len(b), nil
}

// moveTo says how many bytes of the total are there.
func (t *transfer) moveTo(done int64) {
	t.moved = done - t.kept
	if t.p.w != nil && time.Since(t.shown) >= redraw {
		t.shown = time.Now()
		t.p.replace(t.line())
	}
}

// clear removes the line.
func (t *transfer) clear() { t.p.clear() }

// line returns how far the transfer is: a bar, bytes, the rate since the start, and when it will be done at that rate.
func (t *transfer) line() string {
	done, rate := t.kept+t.moved, 0.0
	if elapsed := time.Since(t.p.start); elapsed >= settled {
		rate = float64(t.moved) / elapsed.Seconds()
	}
	if t.total <= 0 {
		return fmt.Sprintf("%s: %s, %s/s", t.p.what, bytesText(float64(done)), bytesText(rate))
	}
	part := min(float64(done)/float64(t.total), 1)
	left := "unknown time"
	if rate > 0 {
		left = time.Duration(float64(max(t.total-done, 0)) / rate * float64(time.Second)).Round(time.Second).String()
	}
	const cells = 20
	full := int(part * cells)
	return fmt.Sprintf("%s: [%s%s] %3.0f%%, %s of %s, %s/s, %s left", t.p.what, strings.Repeat("#", full), strings.Repeat(".", cells-full),
		part*100, bytesText(float64(done)), bytesText(float64(t.total)), bytesText(rate), left)
}

// bytesText returns a number of bytes as people say it.
func bytesText(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", n)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f GiB", n)
}
