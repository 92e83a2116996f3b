package lancefmt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
)

// Tables of random types, values and encodings that testdata/random_tables.py writes, against the rows
// that pylance reads: whole scans, random ranges and takes. LANCEFLIGHT_RANDOM=FIRST:COUNT chooses
// other seeds; a folder there is one that the script has written.
func TestRandomTablesAgainstPylance(t *testing.T) { checkRandomTables(t, "LANCEFLIGHT_RANDOM") }

// TestV23AgainstPylance is the same for the unstable storage version 2.3; LANCEFLIGHT_RANDOM_V23 chooses.
func TestV23AgainstPylance(t *testing.T) {
	checkRandomTables(t, "LANCEFLIGHT_RANDOM_V23", "600", "2.3")
}

// TestLegacyAgainstPylance is the same for storage version 0.1, which keeps few NULLs: the rows are those that pylance
// reads. LANCEFLIGHT_RANDOM_LEGACY chooses.
func TestLegacyAgainstPylance(t *testing.T) {
	checkRandomTables(t, "LANCEFLIGHT_RANDOM_LEGACY", "600", "0.1")
}

// TestIndexedV23AgainstPylance reads dictionaries of long strings, which random tables are too small for.
func TestIndexedV23AgainstPylance(t *testing.T) {
	dir := t.TempDir()
	t.Log(fixtures.Python(t, "testdata/indexed_v23.py", dir))
	_, msg := checkRandomTable(t, filepath.Join(dir, "0"))
	require.Empty(t, msg)
}

// checkRandomTables hands more to the script.
func checkRandomTables(t *testing.T, env string, more ...string) {
	seeds, dir := os.Getenv(env), t.TempDir()
	if seeds == "" {
		seeds = "0:60"
	}
	if first, count, ok := strings.Cut(seeds, ":"); ok {
		t.Log(fixtures.Python(t, "testdata/random_tables.py", append([]string{dir, first, count}, more...)...))
	} else {
		dir = seeds
	}
	notes, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, notes)
	columns := 0
	for _, path := range notes {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		var note struct {
			Version string `json:"version"`
			Cannot  string `json:"cannot_read"`
			Differs bool   `json:"reads_differently"`
		}
		require.NoError(t, json.Unmarshal(b, &note))
		n, msg := checkRandomTable(t, strings.TrimSuffix(path, ".json"))
		columns += n
		// What pylance has written and cannot read is refused here too, or lacks what it says it
		// has: there are dictionaries of lists that are too short.
		if note.Cannot != "" && (strings.Contains(msg, "not supported: ") || strings.Contains(msg, "corrupt file ")) {
			continue
		}
		if msg != "" {
			t.Errorf("seed %s, %s: %s (pylance reads differently: %t, cannot: %q)",
				strings.TrimSuffix(filepath.Base(path), ".json"), note.Version, msg, note.Differs, note.Cannot)
		}
	}
	t.Logf("%d tables, %d columns", len(notes), columns)
}

func checkRandomTable(t *testing.T, base string) (columns int, msg string) {
	ctx := context.Background()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	b, err := os.ReadFile(base + ".arrow")
	require.NoError(t, err)
	rd, err := ipc.NewFileReader(bytes.NewReader(b))
	require.NoError(t, err)
	want := make([]arrow.Array, rd.Schema().NumFields())
	for i := range want {
		var parts []arrow.Array
		for k := range rd.NumRecords() {
			rec, err := rd.RecordBatchAt(k)
			require.NoError(t, err)
			parts = append(parts, rec.Column(i))
		}
		if len(parts) > 0 { // else there are no rows
			want[i], err = array.Concatenate(parts, memory.DefaultAllocator)
			require.NoError(t, err)
		}
	}
	tbl, err := Open(ctx, base+".lance", Options{AllowBases: []string{filepath.Dir(base)}}) // external blobs
	if err != nil {
		return 0, err.Error()
	}
	defer tbl.Close()
	snap, err := tbl.Snapshot(ctx, Ref{})
	if err != nil {
		return 0, err.Error()
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var all []string
	for i := range want {
		f := rd.Schema().Field(i)
		g := snap.Schema().Field(i)
		if !typesAlike(f.Type, g.Type) {
			all = append(all, fmt.Sprintf("column %s has type %s instead of %s", f.Name, g.Type, f.Type))
			continue
		}
		var at int64
		for _, frag := range snap.Fragments() {
			n := frag.NumPhysicalRows()
			for try := range 4 {
				rows := []encoding.Range{{End: n}}
				if try > 0 {
					rows = someRanges(rng, n)
				}
				batch, err := frag.Read(ctx, Columns(f.Name), rows, mem)
				if err != nil {
					all = append(all, fmt.Sprintf("column %s %s rows %v of fragment %d: %v", f.Name, f.Type, clip(rows), frag.ID(), err))
					break
				}
				d := checkMatch(frag, f.Name, rows, batch.Column(0), rng, mem)
				var k int64
				for _, r := range rows {
					if want[i] == nil {
						break
					}
					x := array.NewSlice(want[i], at+r.Start, at+r.End)
					y := array.NewSlice(batch.Column(0), k, k+r.Len())
					k += r.Len()
					if d == "" {
						d = differ(x, y)
					}
					x.Release()
					y.Release()
				}
				batch.Release()
				if d != "" {
					all = append(all, fmt.Sprintf("column %s %s rows %v of fragment %d: %s", f.Name, f.Type, clip(rows), frag.ID(), d))
					break
				}
			}
			at += n
		}
		if want[i] != nil && at != int64(want[i].Len()) {
			all = append(all, fmt.Sprintf("%d rows instead of %d", at, want[i].Len()))
		}
	}
	if mem.CurrentAlloc() != 0 {
		all = append(all, "memory is not given back")
	}
	return len(want), strings.Join(all, "; ")
}

// checkMatch compares tests of a column's values with the values of rows, which were read. It returns what differs.
func checkMatch(frag *Fragment, column string, rows []encoding.Range, values arrow.Array, rng *rand.Rand, mem memory.Allocator) string {
	fixed, ok := values.DataType().(arrow.FixedWidthDataType)
	switch values.DataType().ID() {
	case arrow.DICTIONARY, arrow.FIXED_SIZE_LIST, arrow.EXTENSION:
		return ""
	}
	if !ok || fixed.BitWidth() > 64 || fixed.BitWidth()%8 != 0 || values.Len() == 0 {
		return ""
	}
	size := fixed.Bytes()
	pattern := func(i int) uint64 {
		var word [8]byte
		copy(word[:], values.Data().Buffers()[1].Bytes()[(values.Data().Offset()+i)*size:][:size])
		return binary.LittleEndian.Uint64(word[:])
	}
	mask := ^uint64(0) >> (64 - fixed.BitWidth())
	x, y := pattern(rng.IntN(values.Len())), pattern(rng.IntN(values.Len()))
	for _, arcs := range [][]encoding.Arc{nil, {{Low: x}}, {{Low: x, Size: (y - x) & mask}},
		{{Low: (y + 1) & mask, Size: mask - 1}}, {{Low: y, Size: mask}}, {{Low: x}, {Low: y, Size: mask / 5}}} {
		first, last := rows[0].Start, rows[len(rows)-1].End
		first = max(0, first-rng.Int64N(70))
		bits := make([]uint64, (last-first+63)/64)
		for _, r := range rows {
			for i := r.Start - first; i < r.End-first; i++ {
				bits[i>>6] |= 1 << (i & 63)
			}
		}
		test := encoding.Test{Bits: fixed.BitWidth(), Arcs: arcs}
		ok, err := frag.Match(ctx, ColumnRef{Name: column}, first, last-first, &test, bits, mem)
		if err != nil {
			return err.Error()
		}
		if !ok {
			return ""
		}
		k := 0
		for _, r := range rows {
			for i := r.Start - first; i < r.End-first; i++ {
				want := values.IsValid(k) && test.Pass(pattern(k))
				if got := bits[i>>6]>>(i&63)&1 == 1; got != want {
					return fmt.Sprintf("row %d tested for %x: %t", first+i, arcs, got)
				}
				bits[i>>6] &^= 1 << (i & 63)
				k++
			}
		}
		for _, w := range bits {
			if w != 0 {
				return "bits that were not set are set"
			}
		}
	}
	return ""
}

func clip(rows []encoding.Range) string {
	if len(rows) > 4 {
		return fmt.Sprintf("%v…", rows[:4])
	}
	return fmt.Sprint(rows)
}

// someRanges returns ascending ranges below n, which may be empty.
func someRanges(rng *rand.Rand, n int64) (rows []encoding.Range) {
	step := 1 + rng.Int64N(max(1, n/3+1))
	for at := rng.Int64N(step); at < n && len(rows) < 50; at += rng.Int64N(step) {
		end := min(n, at+1)
		if rng.IntN(3) == 0 {
			end = min(n, at+rng.Int64N(step+1))
		}
		rows = append(rows, encoding.Range{Start: at, End: end})
		at = end
	}
	return rows
}

// differsInNamesOnly reports whether two types are the same but for names and nullability below lists and maps.
func differsInNamesOnly(a, b arrow.DataType) bool {
	if a.ID() != b.ID() {
		return false
	}
	switch a := a.(type) {
	case *arrow.MapType:
		b := b.(*arrow.MapType)
		return typesAlike(a.KeyType(), b.KeyType()) && typesAlike(a.ItemType(), b.ItemType())
	case *arrow.FixedSizeListType:
		return a.Len() == b.(*arrow.FixedSizeListType).Len() && typesAlike(a.Elem(), b.(*arrow.FixedSizeListType).Elem())
	case arrow.ListLikeType:
		return typesAlike(a.Elem(), b.(arrow.ListLikeType).Elem())
	case *arrow.StructType:
		b := b.(*arrow.StructType)
		if a.NumFields() != b.NumFields() {
			return false
		}
		for i := range a.NumFields() {
			if a.Field(i).Name != b.Field(i).Name || !typesAlike(a.Field(i).Type, b.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return false
}

func typesAlike(a, b arrow.DataType) bool {
	if e, ok := a.(arrow.ExtensionType); ok && b.ID() != arrow.EXTENSION {
		a = e.StorageType() // of all but UUID our schemas say so in the field's metadata
	}
	switch a.ID() { // Lance stores no views
	case arrow.STRING_VIEW:
		a = arrow.BinaryTypes.String
	case arrow.BINARY_VIEW:
		a = arrow.BinaryTypes.Binary
	}
	return arrow.TypeEqual(a, b) || differsInNamesOnly(a, b)
}

// differ compares values, not representations: "" if equal.
func differ(want, got arrow.Array) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf("%d rows instead of %d", got.Len(), want.Len())
	}
	if array.Equal(want, got) {
		return ""
	}
	for i := range want.Len() {
		if w, g := spell(want, i), spell(got, i); w != g {
			return fmt.Sprintf("row %d is %.200s instead of %.200s", i, g, w)
		}
	}
	return ""
}

func spell(a arrow.Array, i int) string {
	if a.DataType().ID() == arrow.NULL || a.IsNull(i) {
		return "NULL"
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return spell(a.Storage(), i)
	case *array.Dictionary:
		return spell(a.Dictionary(), a.GetValueIndex(i))
	case *array.Struct:
		s := "{"
		for f := range a.NumField() {
			s += spell(a.Field(f), i) + ","
		}
		return s + "}"
	case array.ListLike:
		lo, hi := a.ValueOffsets(i)
		var b strings.Builder
		b.WriteByte('[')
		for ; lo < hi; lo++ {
			b.WriteString(spell(a.ListValues(), int(lo)))
			b.WriteByte(',')
		}
		return b.String() + "]"
	}
	return a.ValueStr(i)
}
