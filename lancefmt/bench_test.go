package lancefmt

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
)

// BenchmarkLatest is what every statement pays: is the version that we know still the latest?
func BenchmarkLatest(b *testing.B) {
	tab, err := Open(ctx, fixtures.Path(b, "laion_v2_2.lance"), Options{})
	require.NoError(b, err)
	defer tab.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tab.Snapshot(ctx, Ref{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a table and its latest version; set LANCEFLIGHT_TABLE for one of your own.
func BenchmarkOpen(b *testing.B) {
	path := os.Getenv("LANCEFLIGHT_TABLE")
	if path == "" {
		path = fixtures.Path(b, "many_small_fragments.lance")
	}
	b.ReportAllocs()
	for b.Loop() {
		tab, err := Open(ctx, path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		s, err := tab.Snapshot(ctx, Ref{})
		if err != nil {
			b.Fatal(err)
		}
		if s.NumRows() == 0 {
			b.Fatal("no rows")
		}
		tab.Close()
	}
}

// BenchmarkTake takes rows all over a table, as a search does for its hits.
func BenchmarkTake(b *testing.B) {
	path := os.Getenv("LANCEFLIGHT_TABLE")
	if path == "" {
		path = fixtures.Path(b, "laion_v2_2.lance")
	}
	tab, err := Open(ctx, path, Options{})
	require.NoError(b, err)
	defer tab.Close()
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(b, err)
	var all []uint64
	for _, f := range s.Fragments() {
		for _, r := range liveRanges(b, f) {
			for i := r.Start; i < r.End; i++ {
				all = append(all, uint64(f.ID())<<32|uint64(i))
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name    string
		rows    int
		columns []string
	}{
		{"10keys", 10, []string{"key"}}, {"10captions", 10, []string{"key", "caption", "url"}},
		{"100images", 100, []string{"image"}}, {"100embeddings", 100, []string{"img_emb"}},
	} {
		if _, err := s.field(c.columns[len(c.columns)-1]); err != nil {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			reads := Columns(c.columns...)
			ids := make([]uint64, c.rows)
			for b.Loop() {
				for i := range ids {
					ids[i] = all[rng.IntN(len(all))]
				}
				batch, err := s.TakeAddresses(ctx, ids, reads, memory.DefaultAllocator)
				if err != nil {
					b.Fatal(err)
				}
				batch.Release()
			}
		})
	}
}

// BenchmarkScan reads columns of all fragments.
func BenchmarkScan(b *testing.B) {
	path := os.Getenv("LANCEFLIGHT_TABLE")
	if path == "" {
		path = fixtures.Path(b, "laion_v2_2.lance")
	}
	tab, err := Open(ctx, path, Options{})
	require.NoError(b, err)
	defer tab.Close()
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(b, err)
	for _, columns := range [][]string{nil, {"key"}, {"caption"}, {"img_emb"}, {"image"}} {
		if len(columns) > 0 {
			if _, err := s.field(columns[0]); err != nil {
				continue
			}
		}
		b.Run(strings.Join(append(columns, ""), "_"), func(b *testing.B) {
			b.ReportAllocs()
			reads := Columns(columns...)
			for b.Loop() {
				for _, f := range s.Fragments() {
					batch, err := f.Read(ctx, reads, f.all(), memory.DefaultAllocator)
					if err != nil {
						b.Fatal(err)
					}
					batch.Release()
				}
			}
		})
	}
}
