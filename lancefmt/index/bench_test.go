package index_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
)

// BenchmarkLookup asks the BTREE index of the column key, which counts rows with few gaps, of a LAION-shaped
// table (laion/make_laion.py --btree) that LANCEFLIGHT_BENCH_TABLE names: for a key, for 100 random ones, and for
// ranges. cold opens the index each time; uncached reads the pages of each question; warm has them.
func BenchmarkLookup(b *testing.B) {
	uri := os.Getenv("LANCEFLIGHT_BENCH_TABLE")
	if uri == "" {
		b.Skip("set LANCEFLIGHT_BENCH_TABLE to a LAION-shaped table with a BTREE index on key")
	}
	x := openTable(b, uri, lancefmt.Ref{})
	var segment *lancefmt.Index
	for _, s := range x.snapshot.Indexes() {
		if s.Name == "key_idx" {
			segment = s
		}
	}
	require.NotNil(b, segment)
	n := x.snapshot.NumRows()
	span := func(rng *rand.Rand, rows int64) index.Predicate {
		low := rng.Int64N(n - rows + 1)
		return index.Predicate{Op: index.InRange, Low: &index.Bound{Value: low, Inclusive: true}, High: &index.Bound{Value: low + rows}}
	}
	questions := []struct {
		name string
		rows int64
		ask  func(rng *rand.Rand) index.Predicate
	}{
		{"key", 1, func(rng *rand.Rand) index.Predicate {
			return index.Predicate{Op: index.In, Values: []any{rng.Int64N(n)}}
		}},
		{"in100", 100, func(rng *rand.Rand) index.Predicate {
			p := index.Predicate{Op: index.In}
			first := rng.Int64N(n)
			for i := range int64(100) {
				p.Values = append(p.Values, (first+i*(n/100+1))%n) // distinct, all over the index
			}
			return p
		}},
		{"percent", n / 100, func(rng *rand.Rand) index.Predicate { return span(rng, n/100) }},
		{"most", n - n/10, func(rng *rand.Rand) index.Predicate { return span(rng, n-n/10) }},
	}
	ask := func(b *testing.B, opened index.Index, p index.Predicate, rows int64) {
		answer, err := opened.Search(ctx, p)
		if err != nil || answer.Sure.Len() > rows || answer.Sure.Len() < rows*9/10 {
			b.Fatal(err, answer.Sure.Len(), rows)
		}
	}
	for _, q := range questions {
		for name, cacheBytes := range map[string]int64{"warm": 256 << 20, "uncached": 1} {
			b.Run(q.name+"/"+name, func(b *testing.B) {
				opened, err := index.Open(ctx, x.snapshot.Store(), x.describe(segment), index.Options{CacheBytes: cacheBytes})
				require.NoError(b, err)
				defer opened.Close()
				rng := rand.New(rand.NewPCG(1, 2))
				ask(b, opened, index.Predicate{Op: index.InRange, SkipNulls: true}, n)
				b.ReportAllocs()
				for b.Loop() {
					ask(b, opened, q.ask(rng), q.rows)
				}
			})
		}
		b.Run(q.name+"/cold", func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				opened, err := index.Open(ctx, x.snapshot.Store(), x.describe(segment), index.Options{})
				require.NoError(b, err)
				ask(b, opened, q.ask(rng), q.rows)
				require.NoError(b, opened.Close())
			}
		})
	}
}
