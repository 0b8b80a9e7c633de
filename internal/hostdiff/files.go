package hostdiff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// look is how a place is looked at.
type look = func(context.Context, host) ([]string, error)

// names looks at the names of everything below dir, except below the given paths in it.
func names(dir string, except ...string) look {
	return func(_ context.Context, h host) ([]string, error) {
		return h.walk(dir, except, func(path string, _ fs.FileInfo) string { return path })
	}
}

// details looks at what is below dir with owner, mode, size and time.
func details(dir string, except ...string) look {
	return func(_ context.Context, h host) ([]string, error) { return h.walk(dir, except, describe) }
}

// given looks at the folders that the caller named.
func given(_ context.Context, h host) ([]string, error) {
	var all []string
	for _, dir := range h.Dirs {
		lines, err := h.walk(dir, nil, describe)
		if err != nil && !absent(err) {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

// names1 looks at the names directly in the folders.
func names1(dirs ...string) look {
	return func(_ context.Context, h host) ([]string, error) {
		var lines []string
		for _, dir := range dirs {
			entries, err := os.ReadDir(h.path(dir))
			if err != nil && !absent(err) {
				return nil, err
			}
			for _, e := range entries {
				lines = append(lines, filepath.Join(dir, e.Name()))
			}
		}
		return lines, nil
	}
}

// devices looks at device files and their permissions; terminals come and go with whoever logs in.
func devices(_ context.Context, h host) ([]string, error) {
	return h.walk("/dev", []string{"/pts", "/shm", "/fd"}, func(path string, info fs.FileInfo) string {
		return path + " " + owner(info)
	})
}

// walk gives a line for everything below dir. What vanishes meanwhile was not there.
func (h host) walk(dir string, except []string, line func(path string, info fs.FileInfo) string) ([]string, error) {
	root := h.path(dir)
	if _, err := os.Lstat(root); err != nil {
		return nil, err
	}
	var lines []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if absent(err) {
			return nil
		}
		if err != nil {
			return err
		}
		below := path[len(root):]
		if below == "" {
			return nil
		}
		if slices.Contains(except, below) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		lines = append(lines, line(filepath.Join(dir, below), info))
		return nil
	})
	return lines, err
}

// describe is a file with everything that tells one version of it from another.
func describe(path string, info fs.FileInfo) string {
	if !info.Mode().IsRegular() {
		return path + " " + owner(info)
	}
	return fmt.Sprintf("%s %s %d bytes of %s", path, owner(info), info.Size(),
		info.ModTime().UTC().Format("2006-01-02T15:04:05.999999999"))
}

// owner is mode and owner of a file.
func owner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.Mode().String()
	}
	return fmt.Sprintf("%s %d:%d", info.Mode(), st.Uid, st.Gid)
}

// attribute looks at the first line of each file that a pattern matches.
func attribute(patterns ...string) look {
	return func(_ context.Context, h host) ([]string, error) {
		var lines []string
		for _, pattern := range patterns {
			files, err := filepath.Glob(h.path(pattern))
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil && !absent(err) {
					return nil, err
				}
				lines = append(lines, f[len(h.path("/"))-1:]+" "+firstLine(b))
			}
		}
		return lines, nil
	}
}

func firstLine(b []byte) string {
	if lines := split(string(b)); len(lines) > 0 {
		return lines[0]
	}
	return ""
}
