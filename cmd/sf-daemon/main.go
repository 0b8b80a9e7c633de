// Sf-daemon runs a node of a Shaken Fist cloud. See sf-daemon --help.
package main

import (
	"os"

	"github.com/shakenfist/shakenfist/internal/daemon"
)

func main() { os.Exit(daemon.Main(os.Args[1:], os.Stdout, os.Stderr)) }
