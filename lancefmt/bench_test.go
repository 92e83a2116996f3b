package lancefmt

import (
	"os"
	"testing"

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
