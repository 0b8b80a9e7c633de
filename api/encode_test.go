package api

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample fills a value in with whatever may stand there.
func sample(dice *rand.Rand, v reflect.Value, depth int) {
	texts := []string{"", "web", `a "quoted" \ text`, "tab\tand\nline", "<&>", "größe", "\u2028", "\x7f\x00", "\xff broken"}
	switch v.Kind() { //nolint:exhaustive // what views are made of
	case reflect.String:
		v.SetString(texts[dice.IntN(len(texts))])
	case reflect.Int:
		v.SetInt(int64(dice.IntN(5)-2) * dice.Int64N(1<<53))
	case reflect.Float64:
		v.SetFloat(float64(dice.IntN(5)-2) / 4)
	case reflect.Bool:
		v.SetBool(dice.IntN(2) == 0)
	case reflect.Pointer:
		if dice.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			sample(dice, v.Elem(), depth)
		}
	case reflect.Slice:
		if n := dice.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
			for i := range v.Len() {
				sample(dice, v.Index(i), depth)
			}
		}
	case reflect.Map:
		if dice.IntN(2) == 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range dice.IntN(3) {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				sample(dice, key, depth)
				sample(dice, value, depth)
				v.SetMapIndex(key, value)
			}
		}
	case reflect.Interface:
		if depth > 0 {
			sampleAny(dice, v, depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				sample(dice, v.Field(i), depth)
			}
		}
	}
}

func sampleAny(dice *rand.Rand, v reflect.Value, depth int) {
	kinds := []reflect.Type{
		reflect.TypeFor[string](), reflect.TypeFor[float64](), reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](),
		reflect.TypeFor[Interface](), reflect.TypeFor[Event](), reflect.TypeFor[List[any]](), reflect.TypeFor[Time](),
	}
	value := reflect.New(kinds[dice.IntN(len(kinds))]).Elem()
	sample(dice, value, depth)
	v.Set(value)
}

func TestTheShortWayWritesWhatPackageJSONDoes(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(3, 1))
	for _, of := range []reflect.Type{
		reflect.TypeFor[Instance](), reflect.TypeFor[Interface](), reflect.TypeFor[Network](), reflect.TypeFor[List[Instance]](),
		reflect.TypeFor[List[any]](), reflect.TypeFor[**Instance](), reflect.TypeFor[Error](), reflect.TypeFor[*Instance](), reflect.TypeFor[map[string]any](),
	} {
		for range 500 {
			v := reflect.New(of).Elem()
			sample(dice, v, 2)
			want, err := marshal(v.Interface())
			require.NoError(t, err)
			got, err := AppendJSON([]byte("before "), v.Interface())
			require.NoError(t, err)
			require.Equal(t, "before "+string(want), string(got))
		}
	}
	got, err := AppendJSON(nil, nil)
	require.NoError(t, err)
	require.Equal(t, "null", string(got))
	_, err = AppendJSON(nil, List[any]{make(chan int)})
	require.Error(t, err)
}

// full is an instance as lists have them.
func full() Instance {
	text, size := "something", 8
	return Instance{
		UUID: "5d2a3b1e-6d3c-4a53-9d6d-5f2f0e9f7a11", Name: "web", Namespace: "demo", Version: InstanceVersion, State: StateCreated,
		PowerState: "on", Node: &text, CPUs: 1, Memory: 1024, DiskSpec: List[DiskSpec]{{Base: &text, Bus: &text, Size: &size, Type: &text}},
		Disks:      List[Disk]{{Device: "vda", Bus: "virtio", Size: &size, BlobUUID: &text}, {Device: "vdb", Bus: "virtio", SnapshotIgnores: true}},
		Interfaces: List[Interface]{{UUID: "5d2a3b1e-6d3c-4a53-9d6d-5f2f0e9f7a12", IPv4: &text, MAC: "02:00:00:00:00:01", Model: "virtio"}},
		Video:      Video{Model: "cirrus", Memory: 16384, VDI: "spice"}, SideChannels: List[string]{"sf-agent"},
	}
}

// BenchmarkEncode writes a list of 1,000 instances, as the server does and as package json would.
func BenchmarkEncode(b *testing.B) {
	list := List[any]{}
	for range 1000 {
		list = append(list, full())
	}
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text, err := AppendJSON(nil, list)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var text bytes.Buffer
			if err := json.NewEncoder(&text).Encode(list); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(text.Len()))
		}
	})
}
