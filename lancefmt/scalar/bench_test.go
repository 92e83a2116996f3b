package scalar_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/scalar"
)

// benchTable is a table of laion/make_laion.py --rows 1000000 --btree --bitmap.
func benchIndex(b *testing.B, name string) scalar.Index {
	uri := os.Getenv("LANCEFLIGHT_BENCH_TABLE")
	if uri == "" {
		b.Skip("set LANCEFLIGHT_BENCH_TABLE to a LAION-shaped table with scalar indices")
	}
	x := openTable(b, uri, lancefmt.Ref{})
	for _, segment := range x.snapshot.Indexes() {
		if segment.Name == name {
			return x.open(b, segment)
		}
	}
	b.Skipf("no index %s", name)
	return nil
}

// BenchmarkBTreePoint looks up one key of a million; warm pages are in the cache.
func BenchmarkBTreePoint(b *testing.B) {
	index := benchIndex(b, "key_idx")
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		answer, err := index.Search(ctx, scalar.Predicate{Op: scalar.In, Values: []any{rng.Int64N(1_000_000)}})
		if err != nil || answer.May.Len() > 1 {
			b.Fatal(err, answer.May.Len())
		}
	}
}

// BenchmarkBTreeRange finds 100,000 and all but 100,000 rows of a million.
func BenchmarkBTreeRange(b *testing.B) {
	for name, p := range map[string]scalar.Predicate{
		"tenth": {Op: scalar.InRange, Low: &scalar.Bound{Value: int64(300_000)}, High: &scalar.Bound{Value: int64(400_000)}},
		"most":  {Op: scalar.InRange, Low: &scalar.Bound{Value: int64(100_000)}},
	} {
		b.Run(name, func(b *testing.B) {
			index := benchIndex(b, "key_idx")
			for b.Loop() {
				_, err := index.Search(ctx, p)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkBTreeCold opens the index and looks up one key.
func BenchmarkBTreeCold(b *testing.B) {
	uri := os.Getenv("LANCEFLIGHT_BENCH_TABLE")
	if uri == "" {
		b.Skip("set LANCEFLIGHT_BENCH_TABLE to a LAION-shaped table with scalar indices")
	}
	x := openTable(b, uri, lancefmt.Ref{})
	for _, segment := range x.snapshot.Indexes() {
		if segment.Name != "key_idx" {
			continue
		}
		for b.Loop() {
			index, err := scalar.Open(ctx, x.snapshot.Store(), x.describe(segment), scalar.Options{})
			require.NoError(b, err)
			_, err = index.Search(ctx, scalar.Predicate{Op: scalar.In, Values: []any{int64(12345)}})
			require.NoError(b, err)
			require.NoError(b, index.Close())
		}
	}
}
