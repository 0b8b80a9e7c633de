package foreign_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/foreign"
	hi "github.com/shakenfist/shakenfist/internal/hostileimage"
)

const limit = 1 << 40

// guards are the functions that are tested, by what they call their images.
func guards() map[string]func(io.ReaderAt, int64, int64) (foreign.Image, error) {
	return map[string]func(io.ReaderAt, int64, int64) (foreign.Image, error){
		"VMDK": foreign.VMDK, "VDI": foreign.VDI, "VHD": foreign.VHD,
	}
}

func TestWholeImagesAreTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		guard string
		image []byte
		want  foreign.Image
	}{
		"a sparse VMDK":        {"VMDK", hi.VMDK(), foreign.Image{Size: 2 << 20, Block: 64 << 10, Variant: "monolithicSparse"}},
		"a VMDK of version 3":  {"VMDK", hi.VMDK(hi.LE32(4, 3)), foreign.Image{Size: 2 << 20, Block: 64 << 10, Variant: "monolithicSparse"}},
		"a spare directory":    {"VMDK", hi.VMDK(hi.LE32(8, 3), hi.LE64(48, 30), hi.LE32(30*512, 40)), foreign.Image{Size: 2 << 20, Block: 64 << 10, Variant: "monolithicSparse"}},
		"a VMDK stream":        {"VMDK", hi.Stream(), foreign.Image{Size: 2 << 20, Block: 64 << 10, Variant: "streamOptimized"}},
		"a dynamic VDI":        {"VDI", hi.VDI(), foreign.Image{Size: 2 << 20, Block: 1 << 20, Variant: "dynamic"}},
		"a VDI of an odd size": {"VDI", hi.VDI(hi.LE64(368, 2<<20-1)), foreign.Image{Size: 2 << 20, Block: 1 << 20, Variant: "dynamic"}},
		"a discarded block":    {"VDI", hi.VDI(hi.LE32(512, 0xfffffffe)), foreign.Image{Size: 2 << 20, Block: 1 << 20, Variant: "dynamic"}},
		"a static VDI":         {"VDI", hi.VDI(hi.LE32(76, 2), hi.LE64(368, 1<<20), hi.LE32(384, 1), hi.LE32(512, 0)), foreign.Image{Size: 1 << 20, Block: 1 << 20, Variant: "static"}},
		"a dynamic VHD":        {"VHD", hi.DynamicVHD(), foreign.Image{Size: 4 << 20, Block: 2 << 20, Variant: "dynamic"}},
		"a fixed VHD":          {"VHD", hi.FixedVHD(), foreign.Image{Size: 64 << 10, Variant: "fixed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := guards()[c.guard](bytes.NewReader(c.image), int64(len(c.image)), limit)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// refusal is an image and the beginning of what is said of it after "this … image ".
type refusal struct {
	image []byte
	text  string
}

func check(t *testing.T, guard string, cases map[string]refusal) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := guards()[guard](bytes.NewReader(c.image), int64(len(c.image)), limit)
			if want := "this " + guard + " image " + c.text; got != (foreign.Image{}) || !errors.Is(err, fault.Invalid) || !strings.HasPrefix(fault.Text(err), want) {
				t.Errorf("got %+v, %v: %s\nwant invalid: %s…", got, fault.KindOf(err), fault.Text(err), want)
			}
		})
	}
}

func TestVMDKThatIsRefused(t *testing.T) {
	t.Parallel()
	lines := func(s string) []byte {
		return hi.VMDK(hi.Text(512, hi.Descriptor("monolithicSparse", s)))
	}
	const device = "lists an extent in its descriptor that is no sparse one in the file itself"
	foot := 64 << 10
	check(t, "VMDK", map[string]refusal{
		"nothing":                      {nil, "has its header of 512 bytes at 0, but ends at 0"},
		"no magic":                     {hi.VMDK(hi.LE32(0, 0)), "does not begin as one"},
		"version 4":                    {hi.VMDK(hi.LE32(4, 4)), "is of version 4"},
		"an unknown flag":              {hi.VMDK(hi.LE32(8, 1<<5|1)), "needs features that are not known (flags 0x21"},
		"changed line ends":            {hi.VMDK(hi.Text(73, "\n \n\n")), "was changed by a transfer as text"},
		"half compressed":              {hi.VMDK(hi.LE32(8, 1<<16|1)), "contradicts itself about its compression"},
		"no size, as readers follow":   {hi.VMDK(hi.LE64(12, 0)), "has no virtual size"},
		"16 EiB":                       {hi.VMDK(hi.LE64(12, 1<<55)), "has a virtual size of 36028797018963968 sectors"},
		"a negative size":              {hi.VMDK(hi.LE64(12, ^uint64(0))), "has a virtual size of 18446744073709551615 sectors"},
		"tiny grains":                  {hi.VMDK(hi.LE64(20, 1)), "has grains of 1 sectors"},
		"odd grains":                   {hi.VMDK(hi.LE64(20, 100)), "has grains of 100 sectors"},
		"absurd grains":                {hi.VMDK(hi.LE64(20, 1<<63)), "has grains of 9223372036854775808 sectors"},
		"short grain tables":           {hi.VMDK(hi.LE32(44, 1)), "has grain tables of 1 entries"},
		"no descriptor":                {hi.VMDK(hi.LE64(28, 0), hi.LE64(36, 0)), "has no descriptor: it is one extent of several"},
		"a descriptor elsewhere":       {hi.VMDK(hi.LE64(28, 2)), "has a descriptor of 20 sectors at 2"},
		"an absurd descriptor":         {hi.VMDK(hi.LE64(36, 1<<60)), "has a descriptor of 1152921504606846976 sectors"},
		"a descriptor past the end":    {hi.VMDK(hi.LE64(36, 2048)), "has its descriptor of 1048576 bytes at 512, but ends at 65536"},
		"a directory nowhere":          {hi.VMDK(hi.LE64(56, 0)), "has its grain directory at sector 0"},
		"a directory past the end":     {hi.VMDK(hi.LE64(56, 1<<60)), "has its grain directory at sector 1152921504606846976"},
		"a directory that ends late":   {hi.VMDK(hi.LE64(12, 65536*1000), hi.LE64(56, 127)), "has its grain directory of 4000 bytes at 65024"},
		"a spare one past the end":     {hi.VMDK(hi.LE32(8, 3), hi.LE64(48, 1<<40)), "has its spare grain directory at sector 1099511627776"},
		"a grain table past the end":   {hi.VMDK(hi.LE32(21*512, 0xffffffff)), "has a grain table at sector 4294967295"},
		"a grain table used twice":     {hi.VMDK(hi.LE64(12, 65536*2), hi.LE32(21*512+4, 22)), "uses the same place of its file for more than one block"},
		"grain tables that overlap":    {hi.VMDK(hi.LE64(12, 65536*2), hi.LE32(21*512+4, 24)), "uses the same place of its file for more than one block"},
		"data past the end":            {hi.VMDK(hi.LE64(64, 1<<62)), "has its data from sector 4611686018427387904 on"},
		"a flat extent":                {lines("RW 4096 FLAT \"/etc/shadow\" 0\n"), device},
		"a flat extent beside":         {lines(hi.Extents + "RW 4096 FLAT \"/etc/shadow\" 0\n"), "lists 2 extents in its descriptor"},
		"an extent of VMFS":            {lines("RW 4096 VMFS \"disk-flat.vmdk\"\n"), device},
		"a device":                     {lines("RW 4096 VMFSRDM \"/dev/sda\"\n"), device},
		"a sparse extent elsewhere":    {lines("RW 4096 SPARSE \"/etc/shadow\"\n"), device},
		"one in the folder above":      {lines("RW 4096 SPARSE \"..\\\\shadow\"\n"), device},
		"no extent":                    {lines(""), "lists 0 extents in its descriptor"},
		"an extent beyond the disk":    {lines("RW 4097 SPARSE \"disk.vmdk\"\n"), "has an extent of 4097 sectors in its descriptor, and 4096 in its header"},
		"an extent of nothing":         {lines("RW 0 SPARSE \"disk.vmdk\"\n"), "has an extent of 0 sectors"},
		"a parent":                     {lines(hi.Extents + "parentFileNameHint=\"/etc/shadow\"\n"), "names a parent in its descriptor"},
		"a parent by other letters":    {lines(hi.Extents + "PARENTfilenamehint=\"/etc/shadow\"\n"), "names a parent in its descriptor"},
		"a parent behind the end":      {hi.VMDK(hi.Text(512+10200-30, "parentFileNameHint=\"/x\"")), "names a parent in its descriptor"},
		"a parent behind a short text": {hi.VMDK(hi.LE64(36, 1), hi.LE64(56, 30), hi.LE32(30*512, 40), hi.Text(512+5000, "parentFileNameHint=\"/x\"")), "names a parent in its descriptor"},
		"a parent's ID":                {hi.VMDK(hi.Text(512, strings.Replace(hi.Descriptor("monolithicSparse", hi.Extents), "ffffffff", "deadbeef", 1))), "has only what differs from a parent (parentCID deadbeef)"},
		"a parent's ID twice":          {lines(hi.Extents + "parentCID=12345678\n"), "has a descriptor without its ID or its parent's"},
		"no IDs":                       {hi.VMDK(hi.Text(512, strings.Replace(hi.Descriptor("monolithicSparse", hi.Extents), "CID=", "XID=", 2))), "has a descriptor without its ID"},
		"another kind":                 {hi.VMDK(hi.Text(512, hi.Descriptor("monolithicFlat", hi.Extents))), "says in its descriptor that it is of another kind than monolithicSparse"},
		"a stream without its footer":  {hi.Stream()[:64<<10], "does not end with its footer"},
		"a stream cut off":             {hi.Stream()[:64<<10+1000], "is 66536 bytes large, which are no whole sectors"},
		"a stream of another size":     {hi.Stream(hi.LE64(foot+512+12, 1<<50)), "contradicts itself in its header and its footer"},
		"a stream of no size":          {hi.Stream(hi.LE64(foot+512+12, 0)), "contradicts itself in its header and its footer"},
		"a stream without end":         {hi.Stream(hi.LE64(foot+512+56, ^uint64(0))), "contradicts itself in its header and its footer"},
		"a stream without a mark":      {hi.Stream(hi.LE32(foot+12, 1)), "does not end with its footer"},
		"a directory after the end":    {hi.Stream(hi.LE64(foot+512+56, 1<<50)), "has its grain directory at sector"},
	})
}

func TestVDIThatIsRefused(t *testing.T) {
	t.Parallel()
	check(t, "VDI", map[string]refusal{
		"nothing":                  {nil, "has its header of 512 bytes at 0, but ends at 0"},
		"no magic":                 {hi.VDI(hi.LE32(64, 0)), "does not begin as one"},
		"version 1.0":              {hi.VDI(hi.LE32(68, 0x00010000)), "is of version 1.0"},
		"a difference":             {hi.VDI(hi.LE32(76, 4)), "has only what differs from another image"},
		"an undo image":            {hi.VDI(hi.LE32(76, 3)), "is an undo image"},
		"an unknown kind":          {hi.VDI(hi.LE32(76, 9)), "is of kind 9"},
		"a parent":                 {hi.VDI(hi.LE32(440, 1)), "has only what differs from another image"},
		"a link":                   {hi.VDI(hi.LE32(424, 1)), "has only what differs from another image"},
		"no size":                  {hi.VDI(hi.LE64(368, 0)), "has a virtual size of 0 bytes"},
		"16 EiB":                   {hi.VDI(hi.LE64(368, 1<<63)), "has a virtual size of 9223372036854775808 bytes"},
		"a negative size":          {hi.VDI(hi.LE64(368, ^uint64(0))), "has a virtual size of 18446744073709551615 bytes"},
		"large sectors":            {hi.VDI(hi.LE32(360, 4096)), "has sectors of 4096 bytes"},
		"no blocks of that size":   {hi.VDI(hi.LE32(376, 1)), "has blocks of 1+0 bytes"},
		"blocks with more":         {hi.VDI(hi.LE32(380, 512)), "has blocks of 1048576+512 bytes"},
		"too few blocks":           {hi.VDI(hi.LE32(384, 1)), "has 1 blocks; its virtual size of 2097152 bytes takes 2"},
		"absurdly many blocks":     {hi.VDI(hi.LE32(384, 0xffffffff)), "has 4294967295 blocks"},
		"more in use than are":     {hi.VDI(hi.LE32(388, 3)), "has 3 of its 2 blocks in use"},
		"a static one, half there": {hi.VDI(hi.LE32(76, 2)), "has 1 of its 2 blocks in use"},
		"a map in the header":      {hi.VDI(hi.LE32(340, 0)), "has its map of 2 blocks at 0"},
		"a map askew":              {hi.VDI(hi.LE32(340, 513)), "has its map of 2 blocks at 513"},
		"a map past the data":      {hi.VDI(hi.LE32(340, 0xfffffe00)), "has its map of 2 blocks at 4294966784"},
		"data past the end":        {hi.VDI(hi.LE32(344, 8192)), "has 1 blocks from 8192 on, but ends at 1052672"},
		"cut off":                  {hi.VDI()[:8192], "has 1 blocks from 4096 on, but ends at 8192"},
		"a block past the end":     {hi.VDI(hi.LE32(516, 1)), "has a block 1 in its map, and 1 blocks in use"},
		"a block used twice":       {hi.VDI(hi.LE32(512, 0)), "uses the same place of its file for more than one block"},
	})
}

func TestVHDThatIsRefused(t *testing.T) {
	t.Parallel()
	tail := func(p hi.Put) []byte { // a dynamic image whose last sector differs from its first
		b := hi.DynamicVHD()
		at := len(b) - 512
		p(b[at:])
		return hi.Change(b, hi.Sum(at, at+512, at+64))
	}
	check(t, "VHD", map[string]refusal{
		"nothing":                  {nil, "is 0 bytes large"},
		"an odd size":              {hi.FixedVHD()[1:], "is 66047 bytes large"},
		"no footer":                {hi.DynamicVHD()[:4096], "does not end with its footer"},
		"a wrong checksum":         {hi.Change(hi.FixedVHD(), hi.BE32(64<<10+48, 1)), "has a footer whose checksum is wrong"},
		"version 2":                {hi.FixedVHD(hi.BE32(64<<10+12, 0x20000)), "is of version 0x20000"},
		"a difference":             {hi.DynamicVHD(hi.BE32(60, 4)), "has only what differs from another image"},
		"an unknown kind":          {hi.DynamicVHD(hi.BE32(60, 5)), "is of kind 5"},
		"no size":                  {hi.FixedVHD(hi.BE64(64<<10+48, 0)), "has a virtual size of 0 bytes"},
		"an odd virtual size":      {hi.FixedVHD(hi.BE64(64<<10+48, 1000)), "has a virtual size of 1000 bytes, which are no whole sectors"},
		"16 EiB":                   {hi.DynamicVHD(hi.BE64(48, 1<<63)), "has a virtual size of 9223372036854775808 bytes"},
		"beyond its file":          {hi.FixedVHD(hi.BE64(64<<10+48, 1<<20)), "has a fixed size of 1048576 bytes and a footer, but ends at 66048"},
		"fixed and dynamic":        {hi.FixedVHD(hi.Text(0, "conectix")), "is of fixed size by its last sector and not by its first"},
		"dynamic without a head":   {hi.Change(hi.FixedVHD(), hi.BE32(64<<10+60, 3), hi.Sum(64<<10, 64<<10+512, 64<<10+64)), "is dynamic by its last sector and not by its first"},
		"two sizes":                {tail(hi.BE64(48, 8<<20)), "contradicts itself in its first and last sector"},
		"a header past the end":    {hi.DynamicVHD(hi.BE64(16, 1<<62)), "has its dynamic header of 1024 bytes at 4611686018427387904"},
		"a header that wraps":      {hi.DynamicVHD(hi.BE64(16, ^uint64(0)-100)), "has its dynamic header of 1024 bytes at 18446744073709551515"},
		"no dynamic header":        {hi.DynamicVHD(hi.Text(512, "sparsecx")), "has no dynamic header at 512"},
		"a damaged dynamic header": {hi.Change(hi.DynamicVHD(), hi.BE32(1400, 1)), "has no dynamic header at 512, or one whose checksum is wrong"},
		"a later version of it":    {hi.DynamicVHD(hi.BE32(536, 0x20000)), "has a dynamic header of a version that is not known"},
		"a parent's ID":            {hi.DynamicVHD(hi.BE32(552, 1)), "names a parent"},
		"a parent's name":          {hi.DynamicVHD(hi.Text(576, "\x00/\x00e\x00t\x00c")), "names a parent"},
		"a parent's locator":       {hi.DynamicVHD(hi.Text(512+576, "W2ku")), "names a parent"},
		"tiny blocks":              {hi.DynamicVHD(hi.BE32(544, 512)), "has blocks of 512 bytes"},
		"no blocks":                {hi.DynamicVHD(hi.BE32(544, 0)), "has blocks of 0 bytes"},
		"odd blocks":               {hi.DynamicVHD(hi.BE32(544, 3<<20)), "has blocks of 3145728 bytes"},
		"absurd blocks":            {hi.DynamicVHD(hi.BE32(544, 1<<31)), "has blocks of 2147483648 bytes"},
		"too few blocks":           {hi.DynamicVHD(hi.BE32(540, 1)), "has a table of 1 blocks of 2097152 bytes; its virtual size of 4194304 takes 2"},
		"absurdly many blocks":     {hi.DynamicVHD(hi.BE32(540, 0xffffffff)), "has a table of 4294967295 blocks"},
		"a table past the end":     {hi.DynamicVHD(hi.BE64(528, 1<<40)), "has its table of blocks of 8 bytes at 1099511627776"},
		"a table that wraps":       {hi.DynamicVHD(hi.BE64(528, ^uint64(0)&^511)), "has its table of blocks of 8 bytes at 18446744073709551104"},
		"a table askew":            {hi.DynamicVHD(hi.BE64(528, 2050)), "has its table of blocks at 2050, which cannot be"},
		"a block past the end":     {hi.DynamicVHD(hi.BE32(2052, 6)), "has a block of 4097 sectors at sector 6, but ends after 4102"},
		"a block before the start": {hi.DynamicVHD(hi.BE32(2052, 0)), "has a block of 4097 sectors at sector 0"},
		"a block used twice":       {hi.DynamicVHD(hi.BE32(2048, 5)), "uses the same place of its file for more than one block"},
	})
}

func TestTheLimitHolds(t *testing.T) {
	t.Parallel()
	for guard, images := range map[string][][]byte{"VMDK": {hi.VMDK(), hi.Stream()}, "VDI": {hi.VDI()}, "VHD": {hi.FixedVHD(), hi.DynamicVHD()}} {
		for _, b := range images {
			i, err := guards()[guard](bytes.NewReader(b), int64(len(b)), limit)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := guards()[guard](bytes.NewReader(b), int64(len(b)), i.Size); err != nil {
				t.Errorf("a %s of the largest size: %v", guard, err)
			}
			if _, err := guards()[guard](bytes.NewReader(b), int64(len(b)), i.Size-1); !errors.Is(err, fault.Invalid) {
				t.Errorf("a %s beyond the limit: %v, want invalid", guard, err)
			}
		}
	}
}

func TestAFileThatCannotBeReadIsNotTheImagesFault(t *testing.T) {
	t.Parallel()
	for guard, b := range map[string][]byte{"VMDK": hi.VMDK(), "VDI": hi.VDI(), "VHD": hi.FixedVHD()} {
		if _, err := guards()[guard](bytes.NewReader(nil), int64(len(b)), limit); !errors.Is(err, fault.Internal) {
			t.Errorf("a %s that is gone: %v, want internal", guard, err)
		}
	}
}
