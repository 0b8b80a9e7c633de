package etcdstore

import (
	"fmt"
	"os"
	"path/filepath"
)

// socketPathMax is the longest path a unix socket can be bound to (unix(7): 108 bytes with the final zero).
const socketPathMax = 107

// socket is where the operator's tools reach the server.
type socket struct {
	path string   // to bind
	dir  *os.File // keeps path valid; nil if path is the plain one
}

// newSocket finds a path by which the socket in dir can be bound. If the plain path is too long it goes through an
// open file of this process: that is short, leaves nothing behind, and the socket still lies in dir.
func newSocket(dir string) (*socket, error) {
	path := filepath.Join(dir, SocketName)
	if len(path) <= socketPathMax {
		return &socket{path: path}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &socket{path: fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), SocketName), dir: f}, nil
}

func (s *socket) close() error {
	if s.dir == nil {
		return nil
	}
	return s.dir.Close()
}
