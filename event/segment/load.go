package segment

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/internal/step"
)

// The ends of files' names.
const (
	activeSuffix  = ".active"
	segmentSuffix = ".segment"
	partialSuffix = ".partial"
	brokenSuffix  = ".broken"
)

// name is a file's; they sort by series, then by number, then an active file before the segment it became.
func name(series string, number int, suffix string) string {
	return fmt.Sprintf("%s-%010d%s", series, number, suffix)
}

// parse is the reverse of name. It returns nil for names that are none of ours.
func (l *Log) parse(name string) (s *series, number int, suffix string) {
	suffix = filepath.Ext(name)
	word, digits, ok := strings.Cut(strings.TrimSuffix(name, suffix), "-")
	number, err := strconv.Atoi(digits)
	if !ok || err != nil || number < 1 {
		return nil, 0, ""
	}
	for _, s := range l.series {
		if s.Name == word {
			return s, number, suffix
		}
	}
	return nil, 0, ""
}

// load takes up one file of the folder.
func (l *Log) load(ctx context.Context, name string) error {
	s, number, suffix := l.parse(name)
	if s == nil {
		return nil
	}
	s.next = max(s.next, number+1)
	path := filepath.Join(l.o.Dir, name)
	switch suffix {
	case partialSuffix:
		return l.drop(ctx, path)
	case brokenSuffix:
		if info, err := os.Stat(path); err == nil {
			l.broken = append(l.broken, file{path, info.Size()})
		}
	case segmentSuffix:
		return l.loadSegment(ctx, s, number, path)
	case activeSuffix:
		return l.loadActive(ctx, s, number, path)
	}
	return nil
}

// drop removes what an attempt that was cut off has left.
func (l *Log) drop(ctx context.Context, path string) error {
	err := step.Do(ctx, "remove event file", filepath.Base(path), func() error { return remove(path) })
	if err != nil {
		return problem("segment.Open", path, err, "what an earlier attempt left cannot be removed")
	}
	return nil
}

func (l *Log) loadSegment(ctx context.Context, s *series, number int, path string) error {
	c, err := openSegment(path, number)
	if err != nil {
		return l.setAside(ctx, path, err)
	}
	s.closed = append(s.closed, c)
	return nil
}

// loadActive takes up an active file, unless it was closed already and only its removal is missing.
func (l *Log) loadActive(ctx context.Context, s *series, number int, path string) error {
	if _, err := os.Stat(l.path(s, number, segmentSuffix)); err == nil {
		return l.drop(ctx, path)
	}
	if s.active != nil { // a number below this one; there should be one active file only
		if err := l.turn(ctx, s); err != nil {
			return err
		}
	}
	a, lost, tail, err := openActive(path, number)
	if err != nil {
		return problem("segment.Open", path, err, "a file of events cannot be opened")
	}
	s.active = a
	if lost > 0 {
		l.o.Log.WarnContext(ctx, "a part of a file of events is damaged; its events are missing from lists",
			slog.String("file", path), slog.Int64("bytes", lost))
	}
	if tail > 0 {
		l.o.Log.InfoContext(ctx, "the last write to a file of events was cut off and is dropped; what is in the store still is written again",
			slog.String("file", path), slog.Int64("bytes", tail))
	}
	if err := a.settle(); err != nil {
		return problem("segment.Open", path, err, "a file of events cannot be written")
	}
	return nil
}

// setAside renames a closed file that can't be read. The caller holds writing, or is Open.
func (l *Log) setAside(ctx context.Context, path string, why error) error {
	to := strings.TrimSuffix(path, segmentSuffix) + brokenSuffix
	l.o.Log.WarnContext(ctx, "a file of events cannot be read and is set aside; its events are missing from lists",
		slog.String("file", to), slog.Any("error", why))
	err := step.Do(ctx, "rename broken event file", filepath.Base(path), func() error { return os.Rename(path, to) })
	if err != nil {
		return problem("segment.Open", path, err, "a damaged file of events cannot be set aside")
	}
	if info, err := os.Stat(to); err == nil {
		l.mu.Lock()
		l.broken = append(l.broken, file{to, info.Size()})
		l.mu.Unlock()
	}
	return nil
}
