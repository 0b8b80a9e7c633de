// Sf-client is the command line client of a Shaken Fist cloud. See sf-client --help.
package main

import (
	"os"

	"github.com/shakenfist/shakenfist/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
