package file

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
)

// TestAgainstPylance compares every column of every file of the fixtures with what pylance's file
// reader says, as dumped by a script: LANCEFLIGHT_DUMP names the folder.
func TestAgainstPylance(t *testing.T) {
	dump := os.Getenv("LANCEFLIGHT_DUMP")
	if dump == "" {
		t.Skip("make test-oracle runs this: it needs pylance, and LANCEFLIGHT_DUMP")
	}
	root, _ := fixtures.Dir()
	want := os.Getenv("ONLY")
	columns, files := 0, 0
	failures := map[string]int{}
	for _, path := range fixtureFiles(t) {
		rel, _ := filepath.Rel(root, path)
		if !strings.Contains(rel, want) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dump, strings.ReplaceAll(rel, "/", "__")+".arrow"))
		if err != nil {
			continue
		}
		table := readTable(t, b)
		r := openFixture(t, path)
		fields, err := r.Fields(context.Background())
		require.NoError(t, err)
		files++
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		for _, f := range fields {
			idx := table.Schema().FieldIndices(f.Name)
			require.Len(t, idx, 1)
			exp := chunksOf(t, table.Column(idx[0]))
			if !arrow.TypeEqual(f.Type, exp.DataType()) && strings.HasPrefix(exp.DataType().String(), "struct") &&
				f.Type.ID() == arrow.LARGE_BINARY {
				f.Type = exp.DataType() // pylance reads blobs as descriptors
			}
			if f.JSONB && exp.DataType().ID() == arrow.LARGE_BINARY {
				f.JSONB, f.Type = false, exp.DataType() // and JSON as it is stored
			}
			cr, err := r.ColumnReader(f)
			require.NoError(t, err)
			got, err := cr.Read(context.Background(), []encoding.Range{{Start: 0, End: r.NumRows()}}, mem)
			major, minor := r.Version()
			if err != nil {
				failures[fmt.Sprintf("%d.%d %v", major, minor, err)]++
				t.Logf("%s column %s %s: %v", rel, f.Name, f.Type, err)
				continue
			}
			if msg := diffArrays(exp, got); msg != "" {
				failures[fmt.Sprintf("%d.%d differs", major, minor)]++
				t.Logf("%s column %s %s: %s", rel, f.Name, f.Type, msg)
			}
			got.Release()
			columns++
		}
		mem.AssertSize(t, 0)
	}
	var keys []string
	for k, n := range failures {
		keys = append(keys, fmt.Sprintf("%4d %s", n, k))
	}
	sort.Strings(keys)
	t.Logf("%d files, %d columns", files, columns)
	if len(keys) > 0 {
		t.Fatal(strings.Join(keys, "\n"))
	}
}

// TestTakesAreSlices reads random rows of every column of the fixtures and compares them with the
// same rows of the whole column.
func TestTakesAreSlices(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(11, 12))
	root, _ := fixtures.Dir()
	columns := 0
	for _, path := range fixtureFiles(t) {
		rel, _ := filepath.Rel(root, path)
		r, err := openPath(t, path)
		if err != nil {
			continue
		}
		fields, err := r.Fields(ctx)
		require.NoError(t, err)
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		for _, f := range fields {
			cr, err := r.ColumnReader(f)
			require.NoError(t, err)
			whole, err := cr.Read(ctx, []encoding.Range{{End: r.NumRows()}}, mem)
			if fault.Is(err, fault.Unsupported) {
				continue
			}
			require.NoError(t, err, "%s %s", rel, f.Name)
			for range 4 {
				rows := randomRanges(rng, r.NumRows())
				got, err := cr.Read(ctx, rows, mem)
				require.NoError(t, err, "%s %s %v", rel, f.Name, rows)
				at := int64(0)
				for _, x := range rows {
					want := array.NewSlice(whole, x.Start, x.End)
					part := array.NewSlice(got, at, at+x.Len())
					if !array.Equal(want, part) {
						require.Empty(t, diffArrays(want, part), "%s %s %v", rel, f.Name, rows)
					}
					want.Release()
					part.Release()
					at += x.Len()
				}
				require.EqualValues(t, at, got.Len())
				got.Release()
			}
			checkParts(t, rng, cr.(encoding.PartialReader), whole, mem)
			whole.Release()
			columns++
		}
		require.NoError(t, r.Close())
		mem.AssertSize(t, 0)
	}
	if _, other := os.LookupEnv(fixtures.Variable); !other {
		require.Greater(t, columns, 2000)
	}
}

// checkParts compares lengths and validity, of all rows and of random ones, with the whole column.
func checkParts(t *testing.T, rng *rand.Rand, cr encoding.PartialReader, whole arrow.Array, mem memory.Allocator) {
	ctx := context.Background()
	for _, rows := range [][]encoding.Range{{{End: int64(whole.Len())}}, randomRanges(rng, int64(whole.Len()))} {
		valid, err := cr.ReadValidity(ctx, rows, mem)
		require.NoError(t, err)
		require.Zero(t, valid.NullN())
		lengths, err := cr.ReadLengths(ctx, rows, mem)
		if err != nil {
			require.True(t, fault.Is(err, fault.Unsupported), "%v", err)
		}
		want, wantErr := lengthsOf(whole, mem)
		require.Equal(t, wantErr == nil, err == nil, "%v", err)
		at := 0
		for _, x := range rows {
			for row := int(x.Start); row < int(x.End); row++ {
				require.Equal(t, whole.IsValid(row) && whole.DataType().ID() != arrow.NULL,
					valid.(*array.Boolean).Value(at), "row %d of %s", row, whole.DataType())
				if err == nil {
					require.Equal(t, text(want, row), text(lengths, at), "row %d of %s", row, whole.DataType())
				}
				at++
			}
		}
		require.Equal(t, at, valid.Len())
		valid.Release()
		if err == nil {
			require.Equal(t, at, lengths.Len())
			lengths.Release()
			want.Release()
		}
	}
}

// randomRanges returns ascending ranges below n: many single rows, some longer runs.
func randomRanges(rng *rand.Rand, n int64) (rows []encoding.Range) {
	step := 1 + rng.Int64N(max(1, n/4+1))
	for at := rng.Int64N(step); at < n; at += rng.Int64N(step) {
		length := int64(1)
		if rng.IntN(3) == 0 {
			length = rng.Int64N(step + 1)
		}
		end := min(n, at+length)
		rows = append(rows, encoding.Range{Start: at, End: end})
		at = end
		if len(rows) == 64 {
			break
		}
	}
	return rows
}

func readTable(t testing.TB, b []byte) arrow.Table {
	rd, err := ipc.NewFileReader(bytes.NewReader(b))
	require.NoError(t, err)
	var recs []arrow.RecordBatch
	for i := range rd.NumRecords() {
		rec, err := rd.RecordBatchAt(i)
		require.NoError(t, err)
		recs = append(recs, rec)
	}
	return array.NewTableFromRecords(rd.Schema(), recs)
}

func chunksOf(t testing.TB, c *arrow.Column) arrow.Array {
	chunks := c.Data().Chunks()
	if len(chunks) == 0 {
		return array.MakeArrayOfNull(memory.DefaultAllocator, c.DataType(), 0)
	}
	a, err := array.Concatenate(chunks, memory.DefaultAllocator)
	require.NoError(t, err)
	return a
}

// diffArrays compares values, not representations: "" if equal.
func diffArrays(want, got arrow.Array) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf("%d rows instead of %d", got.Len(), want.Len())
	}
	if want.NullN() != got.NullN() && want.DataType().ID() != arrow.NULL {
		return fmt.Sprintf("%d NULLs instead of %d", got.NullN(), want.NullN())
	}
	for i := range want.Len() {
		if w, g := text(want, i), text(got, i); w != g {
			return fmt.Sprintf("row %d is %.200s instead of %.200s", i, g, w)
		}
	}
	return ""
}

func text(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "NULL"
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return text(a.Storage(), i)
	case *array.Dictionary:
		return text(a.Dictionary(), a.GetValueIndex(i))
	case *array.Struct:
		s := "{"
		for f := range a.NumField() {
			s += text(a.Field(f), i) + ","
		}
		return s + "}"
	case array.ListLike:
		lo, hi := a.ValueOffsets(i)
		if m, ok := a.(*array.Map); ok {
			lo, hi = m.ValueOffsets(i)
		}
		var b strings.Builder
		b.WriteByte('[')
		for ; lo < hi; lo++ {
			b.WriteString(text(a.ListValues(), int(lo)))
			b.WriteByte(',')
		}
		return b.String() + "]"
	}
	return a.ValueStr(i)
}
