package file

import (
	"context"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
)

// benchColumn reads whole columns, and 100 random rows, of the first file of the 2.2 LAION fixture.
func benchColumn(b *testing.B, name string) {
	r := openFixture(b, fixtures.Glob(b, "laion_v2_2.lance/data/*.lance")[0])
	ctx := context.Background()
	fields, err := r.Fields(ctx)
	require.NoError(b, err)
	for _, f := range fields {
		if f.Name != name {
			continue
		}
		cr, err := r.ColumnReader(f)
		require.NoError(b, err)
		read := func(b *testing.B, rows []encoding.Range) {
			a, err := cr.Read(ctx, rows, memory.DefaultAllocator)
			require.NoError(b, err)
			b.SetBytes(int64(a.Data().SizeInBytes()))
			a.Release()
			b.ReportAllocs()
			for b.Loop() {
				a, err := cr.Read(ctx, rows, memory.DefaultAllocator)
				if err != nil {
					b.Fatal(err)
				}
				a.Release()
			}
			b.ReportMetric(float64(encoding.Count(rows)), "rows/op")
		}
		b.Run("scan", func(b *testing.B) { read(b, []encoding.Range{{End: r.NumRows()}}) })
		if f.Type.ID() == arrow.LARGE_BINARY {
			b.Run("lengths", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					a, err := cr.(encoding.PartialReader).ReadLengths(ctx, []encoding.Range{{End: r.NumRows()}}, memory.DefaultAllocator)
					if err != nil {
						b.Fatal(err)
					}
					a.Release()
				}
			})
		}
		b.Run("take", func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			seen := map[int64]bool{}
			for len(seen) < 100 {
				seen[rng.Int64N(r.NumRows())] = true
			}
			var rows []encoding.Range
			for row := range seen {
				rows = append(rows, encoding.Range{Start: row, End: row + 1})
			}
			sort.Slice(rows, func(i, j int) bool { return rows[i].Start < rows[j].Start })
			read(b, rows)
		})
		return
	}
	b.Fatalf("no column %q", name)
}

func BenchmarkInt64(b *testing.B)      { benchColumn(b, "key") }
func BenchmarkStringFSST(b *testing.B) { benchColumn(b, "url") }
func BenchmarkCaption(b *testing.B)    { benchColumn(b, "caption") }
func BenchmarkDictionary(b *testing.B) { benchColumn(b, "status") }
func BenchmarkEmbedding(b *testing.B)  { benchColumn(b, "img_emb") }
func BenchmarkImage(b *testing.B)      { benchColumn(b, "image") }
func BenchmarkSimilarity(b *testing.B) { benchColumn(b, "similarity") }
func BenchmarkOpen(b *testing.B) {
	path := fixtures.Glob(b, "laion_v2_2.lance/data/*.lance")[0]
	for b.Loop() {
		r, err := openPath(b, path)
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}
