package check

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/tablepb"
	"lanceflight/lancefmt/storage/mem"
	"lanceflight/lancefmt/table"
)

// tableFiles is a table in memory, to be damaged.
type tableFiles map[string][]byte

// loadTable reads a table of testdata, ../lancefmt/testdata/damage or of the fixtures, all of pylance 14.0.2.
func loadTable(t testing.TB, name string) tableFiles {
	dir := filepath.Join("..", "lancefmt", "testdata", "damage", name+".lance")
	if own := filepath.Join("testdata", name+".lance"); exists(own) {
		dir = own
	} else if !exists(dir) {
		dir = fixtures.Path(t, name+".lance")
	}
	stripped := !exists(filepath.Join(dir, "_transactions"))
	files := tableFiles{}
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(p)
		return err
	}))
	for name, data := range maps.Clone(files) { // some tables were stored without transactions
		if !strings.HasSuffix(name, ".manifest") || !stripped {
			continue
		}
		m, err := table.DecodeManifest(data)
		require.NoError(t, err)
		if txn := "_transactions/" + m.TransactionFile; m.TransactionFile != "" && files[txn] == nil {
			files[txn] = []byte{}
		}
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (x tableFiles) store() *mem.Store {
	s := mem.New()
	for name, data := range x {
		s.Put(name, data)
	}
	return s
}

// find returns the file that a pattern names, the first of several.
func (x tableFiles) find(pattern string) (string, error) {
	var names []string
	for name := range x {
		if ok, err := path.Match(pattern, name); err != nil {
			return "", err
		} else if ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no file %s", pattern)
	}
	return slices.Min(names), nil
}

// damage does what a line says:
//
//	remove FILE
//	truncate FILE BYTES          so many are left; negative: so many fewer
//	flip FILE OFFSET             inverts a byte; negative: from the end
//	write FILE TEXT
//	set VERSION PATH VALUE       of the manifest message, "fragments[0].physical_rows 7"
//	set-index VERSION PATH VALUE of the message of indices, "indices[0].fragment_bitmap bitmap:0,9"
//
// FILE may be a pattern. A VALUE is a number, a text, bitmap:1,2 or ids:7-20 (a range of row ids, the end exclusive).
func (x tableFiles) damage(line string) error {
	words := strings.Fields(line)
	switch op := words[0]; op {
	case "write":
		x[words[1]] = []byte(strings.Join(words[2:], " "))
	case "remove", "truncate", "flip":
		name, err := x.find(words[1])
		if err != nil {
			return err
		}
		if op == "remove" {
			delete(x, name)
			return nil
		}
		n, err := strconv.Atoi(words[2])
		if err != nil {
			return err
		}
		data := slices.Clone(x[name])
		if n < 0 {
			n += len(data)
		}
		if op == "truncate" {
			data = data[:n]
		} else {
			data[n] ^= 0xff
		}
		x[name] = data
	case "set", "set-index":
		version, err := strconv.ParseUint(words[1], 10, 64)
		if err != nil {
			return err
		}
		return x.edit(table.VersionsDir+strings.TrimPrefix(table.NamingV2.ManifestName(version), table.VersionsDir),
			op == "set-index", words[2], words[3])
	default:
		return fmt.Errorf("no damage is called %q", op)
	}
	return nil
}

// edit changes a field in a manifest file, by messages behind the old ones.
func (x tableFiles) edit(name string, index bool, field, value string) error {
	data, ok := x[name]
	if !ok {
		return fmt.Errorf("no file %s", name)
	}
	body, footer := slices.Clone(data[:len(data)-16]), slices.Clone(data[len(data)-16:])
	section := func(at uint64) []byte {
		n := uint64(binary.LittleEndian.Uint32(body[at:]))
		return body[at+4 : at+4+n]
	}
	put := func(m proto.Message) (uint64, error) {
		b, err := proto.Marshal(m)
		at := uint64(len(body))
		body = append(binary.LittleEndian.AppendUint32(body, uint32(len(b))), b...)
		return at, err
	}
	m := new(tablepb.Manifest)
	if err := proto.Unmarshal(section(binary.LittleEndian.Uint64(footer)), m); err != nil {
		return err
	}
	if index {
		x := new(tablepb.IndexSection)
		if err := proto.Unmarshal(section(m.GetIndexSection()), x); err != nil {
			return err
		}
		if err := setField(x.ProtoReflect(), field, value); err != nil {
			return err
		}
		at, err := put(x)
		if err != nil {
			return err
		}
		m.IndexSection = &at
	} else if err := setField(m.ProtoReflect(), field, value); err != nil {
		return err
	}
	at, err := put(m)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(footer, at)
	x[name] = append(body, footer...)
	return nil
}

// setField sets a field by its path.
func setField(m protoreflect.Message, field, text string) error {
	name, rest, _ := strings.Cut(field, ".")
	name, number, isElement := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	f := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if f == nil {
		return fmt.Errorf("%s has no field %q", m.Descriptor().Name(), name)
	}
	i := 0
	if isElement {
		var err error
		if i, err = strconv.Atoi(number); err != nil {
			return err
		}
	}
	if rest != "" {
		if f.IsList() {
			return setField(m.Mutable(f).List().Get(i).Message(), rest, text)
		}
		return setField(m.Mutable(f).Message(), rest, text)
	}
	v, err := fieldValue(f, text)
	if err != nil {
		return err
	}
	if f.IsList() {
		m.Mutable(f).List().Set(i, v)
	} else {
		m.Set(f, v)
	}
	return nil
}

func fieldValue(f protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	kind, list, _ := strings.Cut(text, ":")
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		switch kind {
		case "bitmap":
			b := roaring.New()
			for n := range strings.SplitSeq(list, ",") {
				v, err := strconv.ParseUint(n, 10, 32)
				if err != nil {
					return protoreflect.Value{}, err
				}
				b.Add(uint32(v))
			}
			data, err := b.ToBytes()
			return protoreflect.ValueOfBytes(data), err
		case "ids":
			var start, end uint64
			if _, err := fmt.Sscanf(list, "%d-%d", &start, &end); err != nil {
				return protoreflect.Value{}, err
			}
			data, err := proto.Marshal(&tablepb.RowIdSequence{Segments: []*tablepb.U64Segment{{Segment: &tablepb.U64Segment_Range_{
				Range: &tablepb.U64Segment_Range{Start: start, End: end}}}}})
			return protoreflect.ValueOfBytes(data), err
		}
		return protoreflect.ValueOfBytes([]byte(text)), nil
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err
	case protoreflect.Uint32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return protoreflect.ValueOfUint64(n), err
}

func allRows(f *lancefmt.Fragment) []encoding.Range {
	return []encoding.Range{{End: f.NumPhysicalRows()}}
}
