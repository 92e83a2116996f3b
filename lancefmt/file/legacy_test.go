package file

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/filepb"
)

// legacySeeds are small legacy files: every kind of page.
func legacySeeds(t testing.TB) (out [][]byte) {
	paths, err := filepath.Glob("../testdata/damage/*_v0_1.lance/data/*.lance")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		out = append(out, b)
	}
	return out
}

// FuzzLegacy opens bytes with a legacy footer and reads what they say.
func FuzzLegacy(f *testing.F) {
	for _, b := range legacySeeds(f) {
		f.Add(b[:len(b)-8], uint16(2))
	}
	f.Fuzz(func(t *testing.T, data []byte, minor uint16) {
		data = append(append([]byte(nil), data...), 0, 0, byte(minor%3), 0)
		checkKinds(t, readAll(t, append(data, magic...)))
	})
}

// Messages that contradict each other or the file.
func TestLegacyContainerThatLies(t *testing.T) {
	field := func(id, parent int32, typ string) *filepb.Field {
		return &filepb.Field{Name: "f", Id: id, ParentId: parent, LogicalType: typ}
	}
	build := func(m *filepb.Metadata, fields ...*filepb.Field) []byte {
		b := make([]byte, 64) // a page of 8 int64
		b = binary.LittleEndian.AppendUint64(b, 0)
		b = binary.LittleEndian.AppendUint64(b, 8)
		add := func(p proto.Message) uint64 {
			at := uint64(len(b))
			x, err := proto.Marshal(p)
			require.NoError(t, err)
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(x))), x...)
			return at
		}
		at := add(&filepb.Schema{Fields: fields})
		if m.ManifestPosition == 0 {
			m.ManifestPosition = at
		}
		b = binary.LittleEndian.AppendUint64(b, add(m))
		return append(b, 0, 0, 2, 0, 'L', 'A', 'N', 'C')
	}
	good := field(0, -1, "int64")
	require.Empty(t, readAll(t, build(&filepb.Metadata{BatchOffsets: []int32{0, 8}, PageTablePosition: 64}, good)))
	for want, data := range map[string][]byte{
		"batch 1 starts at row -1":     build(&filepb.Metadata{BatchOffsets: []int32{0, -1}, PageTablePosition: 64}, good),
		"batch 0 starts at row 1":      build(&filepb.Metadata{BatchOffsets: []int32{1, 8}, PageTablePosition: 64}, good),
		"in a batch of 9 rows":         build(&filepb.Metadata{BatchOffsets: []int32{0, 9}, PageTablePosition: 64}, good),
		"does not end where the page":  build(&filepb.Metadata{BatchOffsets: []int32{0, 8}, PageTablePosition: 63}, good),
		"a page table of 1 fields":     build(&filepb.Metadata{BatchOffsets: []int32{0, 8}, PageTablePosition: math.MaxUint64}, good),
		"two fields with id 0":         build(&filepb.Metadata{BatchOffsets: []int32{0, 8}, PageTablePosition: 64}, good, good),
		"field ids from 0":             build(&filepb.Metadata{}, good, field(math.MaxInt32, -1, "int64")),
		"a schema without fields":      build(&filepb.Metadata{}),
		"the schema is said to be at":  build(&filepb.Metadata{ManifestPosition: 1 << 40}, good),
		"the schema of":                build(&filepb.Metadata{ManifestPosition: 72 - 4 + 1}, good),
		`logical type "fixed_size_lis`: build(&filepb.Metadata{}, field(0, -1, "fixed_size_list:int64:-1")),
	} {
		errs := readAll(t, data)
		require.NotEmpty(t, errs, want)
		require.ErrorContains(t, errs[0], want)
		require.Equal(t, fault.Corrupt, fault.KindOf(errs[0]), want)
	}
}
