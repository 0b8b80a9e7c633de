// Serve offers the files of a folder over HTTP on loopback, for the demo's guest image.
//
//	serve FOLDER FILE
//
// It writes its address, such as http://127.0.0.1:40123, into FILE when it is ready.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: serve FOLDER FILE")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, os.Args[1], os.Args[2])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// serve answers until ctx ends.
func serve(ctx context.Context, folder, file string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := http.Server{Handler: http.FileServer(http.Dir(folder)), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	if err := announce(file, "http://"+listener.Addr().String()); err != nil {
		return errors.Join(err, s.Close(), ignoreClosed(<-ended))
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return errors.Join(s.Close(), ignoreClosed(<-ended))
	}
}

// announce writes the address so that whoever finds the file finds it complete.
func announce(file, address string) error {
	if err := os.WriteFile(file+".new", []byte(address+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
