package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/client"
)

// typed are tiny guests of a real host, which are told what to do on their serial consoles: each has a shell there. What they
// keep is text in a sector of the disk that nothing else uses.
type typed struct{ c *client.Client }

// bootPatience is within how long a guest must have booted, on a busy machine without virtualisation.
const bootPatience = 3 * time.Minute

// shellPatience is within how long a shell must answer before it is asked again: it may not have listened yet.
const shellPatience = 10 * time.Second

// note reads what the disk $d keeps into $s.
const note = `s=$(dd if=$d bs=512 skip=2041 count=1 2>/dev/null|tr -d '\000');`

func (g typed) Write(ctx context.Context, id, device, line string) error {
	said, err := g.run(ctx, id, fmt.Sprintf(
		`d=/dev/%s;%scase "$s" in *'%s'*);;*)printf '%%s\n%%s\n' "$s" '%s'>/tmp/note;dd if=/tmp/note of=$d bs=512 seek=2041 conv=sync,notrunc,fsync;;esac;%secho "$s"`,
		device, note, line, line, note))
	if err == nil && !strings.Contains(said, line) {
		err = fmt.Errorf("the guest %s did not write to its disk: %s", id, said)
	}
	return err
}

func (g typed) Read(ctx context.Context, id, device string) (string, error) {
	return g.run(ctx, id, fmt.Sprintf(`d=/dev/%s;%secho "$s"`, device, note))
}

// run has the shell of a guest run a command, once or more often, and returns what it says on the console.
func (g typed) run(ctx context.Context, id, command string) (string, error) {
	booting, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	if _, err := Console(booting, g.c, id, "TINY-READY"); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "virsh", "-c", "qemu:///system", "ttyconsole", id).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("find the console of %s: %w: %s", id, err, out)
	}
	tty, err := os.OpenFile(strings.TrimSpace(string(out)), os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	read := make(chan struct{})
	go func() { // a console that nobody reads makes its guest wait; what it says is in the log too
		_, _ = io.Copy(io.Discard, tty)
		close(read)
	}()
	defer func() { _ = tty.Close(); <-read }()
	for {
		// The shell repeats what is typed; the quotes make that look different.
		mark := uuid.NewString()
		if _, err := fmt.Fprintf(tty, "\necho BEGIN-''%s;%s;echo END-''%s\n", mark, command, mark); err != nil {
			return "", err
		}
		patience, cancel := context.WithTimeout(ctx, shellPatience)
		console, err := Console(patience, g.c, id, "BEGIN-"+mark, "END-"+mark)
		cancel()
		switch {
		case err == nil:
			_, said, _ := strings.Cut(console, "BEGIN-"+mark)
			said, _, _ = strings.Cut(said, "END-"+mark)
			return strings.ReplaceAll(said, "\r", ""), nil
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return "", err
		}
	}
}
