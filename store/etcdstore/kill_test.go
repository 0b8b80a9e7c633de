package etcdstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

// childEnv makes the test binary the process to be killed; it holds the store's directory.
const childEnv = "ETCDSTORE_TEST_CHILD"

// child commits one key after another and prints each that was acknowledged, until it is killed.
func child(dir string) {
	ctx := context.Background()
	s, err := etcdstore.Embedded(ctx, etcdstore.Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p, err := s.List(ctx, "n/", "", 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for n := len(p.Entries); ; n++ {
		key := fmt.Sprintf("n/%06d", n)
		_, err := s.Commit(ctx, []store.Check{store.Absent(key)}, []store.Op{
			store.Put(key, fmt.Append(nil, n)), store.Put("twin/"+key, fmt.Append(nil, n)),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(key)
	}
}

func TestAKillLosesNoAcknowledgedCommit(t *testing.T) {
	t.Parallel()
	dir, acknowledged := t.TempDir(), make(map[string]bool)
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ { // also what was in the pipe when it died
			acknowledged[lines.Text()] = true
			if n == 100+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed, as it should be
	}
	if len(acknowledged) < 300 {
		t.Fatalf("only %d commits were acknowledged", len(acknowledged))
	}
	s := embedded(t, etcdstore.Options{Dir: dir, NoFsync: true})
	for key := range acknowledged {
		if _, err := s.Get(t.Context(), key); err != nil {
			t.Errorf("acknowledged and lost: %v", err)
		}
	}
	all, err := s.List(t.Context(), "n/", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	twins, err := s.List(t.Context(), "twin/", "", 0)
	if err != nil || len(twins.Entries) != len(all.Entries) {
		t.Fatalf("%d keys have %d twins: half a commit survived (%v)", len(all.Entries), len(twins.Entries), err)
	}
	t.Logf("%d commits acknowledged over 3 kills, %d kept", len(acknowledged), len(all.Entries))
}
