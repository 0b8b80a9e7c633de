package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressReplacesItsLineAndFitsATerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := &progress{w: &b, width: 80, what: "Instance web1", start: time.Now()}
	p.show("creating", "fetched 50%")
	if got := b.String(); got != "\r\x1b[KInstance web1 is creating, 0s: fetched 50%" {
		t.Errorf("got %q", got)
	}
	b.Reset()
	p.show("creating", strings.Repeat("long\nish ", 40))
	if line := strings.TrimPrefix(b.String(), "\r\x1b[K"); len([]rune(line)) > 79 || strings.Contains(line, "\n") {
		t.Errorf("%d runes: %q", len([]rune(line)), line)
	}
	b.Reset()
	p.clear()
	if b.String() != "\r\x1b[K" {
		t.Errorf("got %q", &b)
	}
	(&progress{}).show("creating", "") // no terminal, nobody to tell
}

func TestATransferSaysHowFarItIsAndHowLongItTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		a := testApp(t, nil, "", "", "")
		a.err, a.tty = &b, func(io.Writer) bool { return true }
		const mib = 1 << 20
		half := a.transfer("base.qcow2", 400*mib, 100*mib)
		time.Sleep(10 * time.Second)
		if n, err := half.Write(make([]byte, 100*mib)); n != 100*mib || err != nil {
			t.Errorf("took %d bytes: %v", n, err)
		}
		const want = "\r\x1b[Kbase.qcow2: [##########..........]  50%, 200.0 MiB of 400.0 MiB, 10.0 MiB/s, 20s left"
		if got := b.String(); got != want[:len("\r\x1b[K")+78]+"…" && got != want {
			t.Errorf("got %q", got)
		}
		b.Reset()
		_, _ = half.Write(make([]byte, mib)) // too soon to be worth a line
		if b.Len() > 0 {
			t.Errorf("got %q", &b)
		}
		time.Sleep(redraw)
		_, _ = half.Write(make([]byte, 199*mib))
		if !strings.Contains(b.String(), "[####################] 100%") {
			t.Errorf("got %q", &b)
		}
		b.Reset()
		half.clear()
		if b.String() != "\r\x1b[K" {
			t.Errorf("got %q", &b)
		}

		unknown := a.transfer("data", 0, 0)
		time.Sleep(2 * time.Second)
		b.Reset()
		_, _ = unknown.Write(make([]byte, 3*mib))
		if b.String() != "\r\x1b[Kdata: 3.0 MiB, 1.5 MiB/s" {
			t.Errorf("got %q", &b)
		}
	})
}

func TestWithoutATerminalNobodyIsShownProgress(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	a := testApp(t, nil, "", "", "")
	a.err = &b
	transfer := a.transfer("data", 10, 0)
	_, _ = transfer.Write(make([]byte, 10))
	transfer.clear()
	a.progress("Instance web1").show("creating", "")
	if b.Len() > 0 {
		t.Errorf("got %q", &b)
	}
}

func TestBytesAreSaidInTheUnitThatFits(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 KiB", 1 << 20: "1.0 MiB", 1.5 * (1 << 30): "1.5 GiB", 5 * (1 << 40): "5120.0 GiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%v is %q, want %q", n, got, want)
		}
	}
}
