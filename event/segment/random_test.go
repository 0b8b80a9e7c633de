package segment

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// machine is a log beside a model of it: what was appended, by series and object.
type machine struct {
	log    *Log
	o      Options
	kept   map[string]map[string]bool // by series and object: IDs that must be there
	all    map[string][]Record        // by series
	number int
}

// What is listed is what was appended and is not too old, whatever happens in between.
func TestRandomOperationsAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("/dev/shm", "events-")
		if err != nil {
			dir, err = os.MkdirTemp("", "events-")
		}
		require.NoError(r, err)
		m := &machine{kept: map[string]map[string]bool{}, all: map[string][]Record{}}
		m.o = small(dir)
		m.o.Budget = -1
		r.Cleanup(func() {
			_ = m.log.Close()
			_ = os.RemoveAll(dir)
		})
		m.log, err = Open(r.Context(), m.o)
		require.NoError(r, err)
		r.Repeat(map[string]func(*rapid.T){
			"append": m.append, "sync": m.sync, "reopen": m.reopen, "die": m.die, "retire": m.retire, "turn": m.turn, "": m.check,
		})
	})
}

func (m *machine) append(r *rapid.T) {
	series := rapid.SampledFrom([]string{"status", "audit"}).Draw(r, "series")
	var all []Record
	for range rapid.IntRange(1, 60).Draw(r, "many") {
		m.number++
		one := record(rapid.SampledFrom([]string{"a", "b", "instance/c"}).Draw(r, "object"), m.number)
		age := rapid.SampledFrom([]time.Duration{0, time.Hour, 48 * time.Hour}).Draw(r, "age")
		one.At = one.At.Add(-age)
		one.ID = fmt.Sprintf("%019d-%s", math.MaxInt64-one.At.UnixNano(), one.ID)
		if again := rapid.IntRange(0, 9).Draw(r, "again"); again == 0 && len(m.all[series]) > 0 {
			one = rapid.SampledFrom(m.all[series]).Draw(r, "which")
		}
		if series == "audit" || time.Since(one.At) < 24*time.Hour {
			m.keep(series+"/"+one.Object, one.ID)
		}
		m.all[series] = append(m.all[series], one)
		all = append(all, one)
	}
	require.NoError(r, m.log.Append(r.Context(), series, all...))
}

func (m *machine) keep(where, id string) {
	if m.kept[where] == nil {
		m.kept[where] = map[string]bool{}
	}
	m.kept[where][id] = true
}

func (m *machine) sync(r *rapid.T) { require.NoError(r, m.log.Sync(r.Context())) }

func (m *machine) reopen(r *rapid.T) {
	require.NoError(r, m.log.Close())
	m.die(r)
}

// die opens the files without the end of the one who had them open before.
func (m *machine) die(r *rapid.T) {
	before := m.log
	var err error
	m.log, err = Open(r.Context(), m.o)
	require.NoError(r, err)
	_ = before.Close()
}

func (m *machine) retire(r *rapid.T) {
	_, err := m.log.Retire(r.Context())
	require.NoError(r, err)
}

func (m *machine) turn(r *rapid.T) {
	s := m.log.series[rapid.IntRange(0, 1).Draw(r, "series")]
	if s.active != nil {
		require.NoError(r, m.log.turn(r.Context(), s))
	}
}

func (m *machine) check(r *rapid.T) {
	limit := rapid.IntRange(0, 30).Draw(r, "limit")
	for _, object := range []string{"a", "b", "instance/c", "nobody"} {
		for _, series := range [][]string{{"audit"}, {"status"}, {"audit", "status"}} {
			want := map[string]bool{}
			for _, s := range series {
				maps.Copy(want, m.kept[s+"/"+object])
			}
			ids := slices.Sorted(maps.Keys(want))
			if limit > 0 {
				ids = ids[:min(limit, len(ids))]
			}
			found, err := m.log.Newest(r.Context(), object, limit, series...)
			require.NoError(r, err)
			var got []string
			for _, f := range found {
				got = append(got, f.ID)
			}
			require.Equal(r, ids, got, "%s of %v, limit %s", object, series, strconv.Itoa(limit))
		}
	}
}
