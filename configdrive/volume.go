package configdrive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kdomanski/iso9660"
)

// The layout of the volume, in sectors of 2048 bytes (ECMA-119). Both trees of folders point at the same content.
//
// The records are those of the iso9660 module. Its writer is not used: it stages the content, secrets and all, in a
// temporary folder that outlives a process killed meanwhile, stamps the time of day, and writes neither path tables nor
// Joliet names, which readers other than Linux look for.
const (
	sector = 2048

	primaryAt    = 16 // volume descriptors
	jolietAt     = 17
	terminatorAt = 18
	tablesAt     = 19 // path tables: primary in both byte orders, then Joliet
	foldersAt    = 23 // folders: one sector each, primary, then Joliet
)

type file struct {
	name string
	data []byte
}

// folder is a folder of the volume. The index of each is its number in the path table, less one.
type folder struct {
	name    string
	parent  int
	folders []int // children, ascending by name
	files   bool  // holds the files
}

// folders are the folders of a config drive in the order of the path table: by depth, then by name.
func folders() []folder {
	return []folder{
		{name: "", folders: []int{1}},
		{name: "openstack", parent: 0, folders: []int{2, 3}},
		{name: "2017-02-22", parent: 1, files: true},
		{name: "latest", parent: 1, files: true},
	}
}

// tree is one of the two views of the volume.
type tree struct {
	kind      byte // of its volume descriptor
	tables    int32
	folders   int32
	name      func(string) string // how names are written in it
	text      func(string) string // how texts are written in its volume descriptor
	charset   string              // escape sequence of its names
	separator string              // between a file's name without extension and its version
}

func trees() [2]tree {
	plain := func(s string) string { return s }
	return [2]tree{
		// Lower case is against the letter of ECMA-119 and what every reader of config drives has to accept: there are no
		// other names for "openstack" and "latest" for one that knows no Joliet.
		{kind: 1, tables: tablesAt, folders: foldersAt, name: plain, text: plain, separator: "."},
		{
			kind: 2, tables: tablesAt + 2, folders: foldersAt + int32(len(folders())), //nolint:gosec // four
			name: ucs2, text: func(s string) string { return ucs2(s + strings.Repeat(" ", 64)) }, charset: "%/E",
		},
	}
}

// volume returns an ISO 9660 volume that holds files in each folder that has files.
func volume(label string, files []file) ([]byte, error) {
	next := trees()[1].folders + int32(len(folders())) //nolint:gosec // four
	extents := make([]iso9660.DirectoryEntry, len(files))
	for i, f := range files {
		extents[i] = record(f.name, next, uint32(len(f.data)), 0) //nolint:gosec // bounded by check
		next += int32((len(f.data) + sector - 1) / sector)        //nolint:gosec // bounded by check
	}
	image := make([]byte, int(next)*sector)
	for i, f := range files {
		copy(image[int(extents[i].ExtentLocation)*sector:], f.data)
	}
	for _, t := range trees() {
		if err := t.write(image, label, next, extents); err != nil {
			return nil, err
		}
	}
	copy(image[terminatorAt*sector:], "\xffCD001\x01")
	return image, nil
}

// write writes the volume descriptor, path tables and folders of t. The volume is sectors long.
func (t tree) write(image []byte, label string, sectors int32, files []iso9660.DirectoryEntry) error {
	little, big := t.pathTable(binary.LittleEndian), t.pathTable(binary.BigEndian)
	copy(image[int(t.tables)*sector:], little)
	copy(image[int(t.tables+1)*sector:], big)
	root := record("\x00", t.folders, sector, 2)
	descriptor, err := iso9660.PrimaryVolumeDescriptorBody{
		SystemIdentifier:            t.text(""),
		VolumeIdentifier:            t.text(label),
		VolumeSpaceSize:             sectors,
		VolumeSetSize:               1,
		VolumeSequenceNumber:        1,
		LogicalBlockSize:            sector,
		PathTableSize:               int32(len(little)), //nolint:gosec // some dozens
		TypeLPathTableLoc:           t.tables,
		TypeMPathTableLoc:           t.tables + 1,
		RootDirectoryEntry:          &root,
		VolumeSetIdentifier:         t.text(""),
		PublisherIdentifier:         t.text(""),
		DataPreparerIdentifier:      t.text(""),
		ApplicationIdentifier:       t.text("SHAKENFIST"),
		CopyrightFileIdentifier:     t.text(""),
		AbstractFileIdentifier:      t.text(""),
		BibliographicFileIdentifier: t.text(""),
		FileStructureVersion:        1,
		// Dates of all zeroes are dates not given.
	}.MarshalBinary()
	if err != nil {
		return err
	}
	descriptor[0], descriptor[6] = t.kind, 1
	copy(descriptor[1:], "CD001")
	copy(descriptor[88:], t.charset)
	copy(image[(primaryAt+int(t.kind)-1)*sector:], descriptor)
	for i := range folders() {
		b, err := t.folder(i, files)
		if err != nil {
			return err
		}
		copy(image[(int(t.folders)+i)*sector:], b)
	}
	return nil
}

// pathTable lists the folders for readers that do not walk the tree (ECMA-119 9.4).
func (t tree) pathTable(order binary.ByteOrder) []byte {
	var table []byte
	for i, f := range folders() {
		id := t.name(f.name)
		if i == 0 {
			id = "\x00"
		}
		entry := make([]byte, 8+len(id)+len(id)%2)
		entry[0] = byte(len(id))                                //nolint:gosec // a short constant
		order.PutUint32(entry[2:], uint32(t.folders)+uint32(i)) //nolint:gosec // some dozens
		order.PutUint16(entry[6:], uint16(f.parent+1))          //nolint:gosec // at most four
		copy(entry[8:], id)
		table = append(table, entry...)
	}
	return table
}

// folder returns the sector that describes the folder with index i: itself, its parent, what it holds.
func (t tree) folder(i int, files []iso9660.DirectoryEntry) ([]byte, error) {
	all := folders()
	f := all[i]
	at := func(i int) int32 { return t.folders + int32(i) } //nolint:gosec // at most four
	records := []iso9660.DirectoryEntry{record("\x00", at(i), sector, 2), record("\x01", at(f.parent), sector, 2)}
	for _, c := range f.folders {
		records = append(records, record(t.name(all[c].name), at(c), sector, 2))
	}
	if f.files {
		for _, r := range files {
			if !strings.Contains(r.Identifier, ".") {
				r.Identifier += t.separator
			}
			r.Identifier = t.name(r.Identifier + ";1")
			records = append(records, r)
		}
	}
	var b bytes.Buffer
	for i := range records {
		r, err := records[i].MarshalBinary()
		if err != nil {
			return nil, err
		}
		b.Write(r)
	}
	if b.Len() > sector {
		return nil, fmt.Errorf("folder %q takes %d bytes of a sector of %d", f.name, b.Len(), sector)
	}
	return b.Bytes(), nil
}
