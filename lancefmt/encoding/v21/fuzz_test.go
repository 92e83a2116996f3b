package v21_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v21"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bytesSource is a file in memory.
type bytesSource []byte

func (s bytesSource) SizeBytes() int64 { return int64(len(s)) }
func (s bytesSource) Name() string     { return "fuzz" }

func (s bytesSource) ReadRanges(_ context.Context, ranges []storage.Range) ([]*memory.Buffer, error) {
	out := make([]*memory.Buffer, len(ranges))
	for i, r := range ranges {
		if r.Offset < 0 || r.Length < 0 || r.Length > int64(len(s)) || r.Offset > int64(len(s))-r.Length {
			return nil, fault.Corruptf("%d bytes at %d", r.Length, r.Offset)
		}
		out[i] = memory.NewBufferBytes(s[r.Offset : r.Offset+r.Length])
	}
	return out, nil
}

// seed is a page of a fixture: its encoding, and its buffers with their sizes as big-endian uint16
// in front.
type seed struct {
	url               string
	encoding, buffers []byte
	typ               arrow.DataType
	nested            bool
	rows              int64
}

const maxSeedBytes = 4 << 10

// seeds returns pages of the fixtures of 2.1 to 2.3, a few per encoding and type.
func seeds(t testing.TB) []seed {
	ctx := context.Background()
	var out []seed
	seen := map[string]int{}
	for _, pattern := range []string{"encodings_v2_1", "encodings_v2_2", "encodings_v2_2_small_pages", "encodings_v2_3",
		"types_v2_1", "types_v2_2", "types_v2_3",
		"laion_small_pages", "laion_v2_3_unstable", "blob_metadata_v2_1", "blob_v2_extension"} {
		for _, path := range fixtures.Glob(t, pattern+".lance/data/*.lance") {
			store, err := local.Dir(filepath.Dir(path))
			require.NoError(t, err)
			obj, err := store.Open(ctx, filepath.Base(path), -1)
			require.NoError(t, err)
			r, err := file.Open(ctx, obj)
			require.NoError(t, err)
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			fields, err := r.Fields(ctx)
			require.NoError(t, err)
			var walk func(f encoding.Field, nested bool)
			walk = func(f encoding.Field, nested bool) {
				if f.Column < 0 {
					for _, c := range f.Children {
						walk(c, true)
					}
					return
				}
				if file.IsBlob(f) && f.Type.ID() == arrow.LARGE_BINARY {
					f.Type = file.BlobDescriptor // the values lie outside of the page
				}
				col, err := r.Column(ctx, f.Column)
				require.NoError(t, err)
				for _, p := range col.Pages {
					s := seed{url: p.TypeURL, encoding: p.Encoding, typ: f.Type, nested: nested, rows: p.NumRows}
					for _, b := range p.BufRanges {
						s.buffers = append(append(s.buffers, byte(b.Length>>8), byte(b.Length)), raw[b.Offset:b.End()]...)
					}
					key := string(p.Encoding[:min(40, len(p.Encoding))]) + f.Type.String()
					if seen[key]++; seen[key] > 2 || len(s.buffers) > maxSeedBytes || s.rows > 1<<15 {
						continue
					}
					out = append(out, s)
				}
			}
			for _, f := range asStored(fields) {
				walk(f, false)
			}
			require.NoError(t, r.Close())
		}
	}
	return out
}

// leafTypes are the types of the seeds, in the order of their names.
func leafTypes(list []seed) []arrow.DataType {
	byName := map[string]arrow.DataType{}
	var names []string
	for _, s := range list {
		if _, ok := byName[s.typ.String()]; !ok {
			byName[s.typ.String()] = s.typ
			names = append(names, s.typ.String())
		}
	}
	sort.Strings(names)
	out := make([]arrow.DataType, len(names))
	for i, n := range names {
		out[i] = byName[n]
	}
	return out
}

// column lays the buffers of a seed out as a file of one column with one page.
func column(url string, enc, buffers []byte, rows int64) (bytesSource, encoding.Column) {
	page := encoding.Page{NumRows: rows, Encoding: enc, TypeURL: url}
	var data bytesSource
	for len(buffers) >= 2 {
		n := min(int(buffers[0])<<8|int(buffers[1]), len(buffers)-2)
		for len(data)%8 != 0 {
			data = append(data, 0)
		}
		page.BufRanges = append(page.BufRanges, storage.Range{Offset: int64(len(data)), Length: int64(n)})
		data = append(data, buffers[2:2+n]...)
		buffers = buffers[2+n:]
	}
	return data, encoding.Column{Pages: []encoding.Page{page}}
}

// touch looks at every value, which finds offsets that leave their buffers.
func touch(a arrow.Array) {
	switch a := a.(type) {
	case *array.Dictionary:
		for i := range a.Len() {
			if !a.IsNull(i) {
				_ = a.Dictionary().ValueStr(a.GetValueIndex(i))
			}
		}
	case *array.Struct:
		for i := range a.NumField() {
			touch(a.Field(i))
		}
	case *array.FixedSizeList:
		touch(a.ListValues())
	default:
		for i := range min(a.Len(), 1<<18) {
			_ = a.ValueStr(i)
		}
	}
}

func decodePage(t testing.TB, url string, enc, buffers []byte, typ arrow.DataType, nested bool, n int64) (whole error) {
	src, col := column(url, enc, buffers, n)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for i, rows := range [][]encoding.Range{
		{{Start: 0, End: n}},
		{{Start: n / 2, End: n}},
		{{Start: 0, End: min(1, n)}, {Start: n / 3, End: n / 2}, {Start: max(n-1, n/2), End: n}},
	} {
		data, err := v21.DecodeLeaf(context.Background(), src, col, typ, nested, rows, mem)
		if i == 0 {
			whole = err
		}
		if err != nil {
			continue
		}
		a := array.MakeFromData(data)
		touch(a)
		if !nested && len(rows) == 1 {
			matchPage(t, src, col, rows[0], a, mem)
		}
		a.Release()
		data.Release()
	}
	return whole
}

// matchPage compares tests of values with what the values are, unless they say that the page is corrupt.
func matchPage(t testing.TB, src bytesSource, col encoding.Column, rows encoding.Range, a arrow.Array, mem memory.Allocator) {
	fixed, ok := a.DataType().(arrow.FixedWidthDataType)
	if !ok || fixed.BitWidth() > 64 || fixed.BitWidth()%8 != 0 || rows.Len() == 0 ||
		a.DataType().ID() == arrow.DICTIONARY || a.DataType().ID() == arrow.FIXED_SIZE_LIST {
		return
	}
	values := make([]uint64, a.Len())
	for i := range values {
		var word [8]byte
		copy(word[:], a.Data().Buffers()[1].Bytes()[i*fixed.Bytes():][:fixed.Bytes()])
		values[i] = binary.LittleEndian.Uint64(word[:])
	}
	mask := ^uint64(0) >> (64 - fixed.BitWidth())
	x, y := values[0], values[len(values)/2]
	for k, arcs := range [][]encoding.Arc{nil, {{Low: x}}, {{Low: x, Size: mask / 3}},
		{{Low: (y + 1) & mask, Size: mask - 1}}, {{Low: y, Size: mask}}, {{Low: x}, {Low: (y - 1) & mask, Size: 1}}} {
		test := encoding.Test{Bits: fixed.BitWidth(), Arcs: arcs}
		bits := make([]uint64, (rows.Len()+63)/64)
		for i := range bits {
			bits[i] = ^uint64(0)
			if k%2 == 1 {
				bits[i] = 0x00ff_f0f0_cccc_aaaa >> (i % 7) // some are not set
			}
		}
		before := append([]uint64(nil), bits...)
		ok, err := v21.MatchLeaf(context.Background(), src, col, a.DataType(), rows.Start, rows.Len(), &test, bits, mem)
		if err != nil {
			require.NotEqual(t, fault.Internal, fault.KindOf(err), "%v", err)
			continue
		}
		if !ok {
			return
		}
		for i, v := range values {
			want := before[i>>6]>>(i&63)&1 == 1 && a.IsValid(i) && test.Pass(v)
			if got := bits[i>>6]>>(i&63)&1 == 1; got != want {
				t.Fatalf("%s: row %d of %v: value %#x, valid %t, arcs %#x: %t", a.DataType(), i, rows, v, a.IsValid(i), arcs, got)
			}
		}
	}
}

// TestSeedsMatch tests values of every seed, which must all be possible.
func TestSeedsMatch(t *testing.T) {
	n := 0
	for _, s := range seeds(t) {
		fixed, ok := s.typ.(arrow.FixedWidthDataType)
		if s.nested || !ok || fixed.BitWidth() > 64 || fixed.BitWidth()%8 != 0 {
			continue
		}
		src, col := column(s.url, s.encoding, s.buffers, s.rows)
		bits := make([]uint64, (s.rows+63)/64)
		for i := range bits {
			bits[i] = ^uint64(0)
		}
		test := encoding.Test{Bits: fixed.BitWidth(), Arcs: []encoding.Arc{{Low: 1, Size: 20}}}
		ok, err := v21.MatchLeaf(context.Background(), src, col, s.typ, 0, s.rows, &test, bits, memory.DefaultAllocator)
		require.NoError(t, err, "%s", s.typ)
		if ok {
			n++
		}
	}
	require.Greater(t, n, 30)
}

func TestSeedsDecode(t *testing.T) {
	list := seeds(t)
	require.Greater(t, len(list), 100)
	for _, s := range list {
		require.NoError(t, decodePage(t, s.url, s.encoding, s.buffers, s.typ, s.nested, s.rows), "%s", s.typ)
	}
}

func FuzzPage(f *testing.F) { fuzzPages(f, "/lance.encodings21.PageLayout") }

// FuzzPlanarPage is FuzzPage for the pages of 2.3.
func FuzzPlanarPage(f *testing.F) { fuzzPages(f, "/lance.encodings23.PlanarLayout") }

func fuzzPages(f *testing.F, url string) {
	list := seeds(f)
	types := leafTypes(list)
	n := 0
	for _, s := range list {
		if s.url != url {
			continue
		}
		n++
		for i, typ := range types {
			if typ == s.typ || typ.String() == s.typ.String() {
				f.Add(s.encoding, s.buffers, uint16(i), s.nested, uint16(s.rows))
			}
		}
	}
	require.Greater(f, n, 20)
	f.Fuzz(func(t *testing.T, enc, buffers []byte, typ uint16, nested bool, rows uint16) {
		_ = decodePage(t, url, enc, buffers, types[int(typ)%len(types)], nested, int64(rows))
	})
}

// TestMutatedPages damages a few bytes of every seed, many times: the answer may be wrong values, or an
// error that says corrupt, unsupported or too large, but nothing else. LANCEFLIGHT_MUTATIONS sets how
// many times.
func TestMutatedPages(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("LANCEFLIGHT_MUTATIONS"))
	if err != nil {
		n = 20
	}
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	interesting := []byte{0, 1, 2, 0x7f, 0x80, 0xfe, 0xff}
	for _, s := range seeds(t) {
		for range n {
			enc, buffers := append([]byte(nil), s.encoding...), append([]byte(nil), s.buffers...)
			for range 1 + rng.IntN(3) {
				b := buffers
				if len(b) == 0 || rng.IntN(3) == 0 {
					b = enc
				}
				i := rng.IntN(len(b))
				switch rng.IntN(3) {
				case 0:
					b[i] ^= 1 << rng.IntN(8)
				case 1:
					b[i] = interesting[rng.IntN(len(interesting))]
				case 2:
					b[i] = byte(rng.Uint32())
				}
			}
			rows := s.rows
			if rng.IntN(8) == 0 {
				rows += rng.Int64N(5) - 2
			}
			err := decodePage(t, s.url, enc, buffers, s.typ, s.nested, max(0, rows))
			if err == nil {
				continue
			}
			switch fault.KindOf(err) {
			case fault.Corrupt, fault.Unsupported, fault.ResourceExhausted:
			default:
				t.Fatalf("%s: %v", s.typ, err)
			}
		}
	}
}

// asStored gives fields of JSON the type of what is stored, as the caller of a decoder does: bytes.
func asStored(fields []encoding.Field) []encoding.Field {
	fields = slices.Clone(fields)
	for i := range fields {
		if fields[i].JSONB {
			fields[i].Type, fields[i].JSONB = arrow.BinaryTypes.Binary, false
		}
	}
	return fields
}
