package file

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
)

// TestConcurrentReads reads the columns of one file from many goroutines, the first reads of their
// pages included.
func TestConcurrentReads(t *testing.T) {
	ctx := context.Background()
	for _, path := range []string{
		fixtures.Glob(t, "laion_small_pages.lance/data/*.lance")[0],
		fixtures.Glob(t, "encodings_v2_1.lance/data/*.lance")[0],
	} {
		quiet := openFixture(t, path)
		fields, err := quiet.Fields(ctx)
		require.NoError(t, err)
		r := openFixture(t, path)
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		var g errgroup.Group
		for worker := range 8 {
			g.Go(func() error {
				rng := rand.New(rand.NewPCG(uint64(worker), 3))
				for i := range fields {
					f := fields[(i+worker*5)%len(fields)]
					rows := randomRanges(rng, r.NumRows())
					cr, err := r.ColumnReader(f)
					if err != nil {
						return err
					}
					got, err := cr.Read(ctx, rows, mem)
					if err != nil {
						return err
					}
					own, err := quiet.ColumnReader(f)
					if err != nil {
						return err
					}
					want, err := own.Read(ctx, []encoding.Range{{End: r.NumRows()}}, mem)
					if err != nil {
						return err
					}
					at := int64(0)
					for _, x := range rows {
						a, b := array.NewSlice(want, x.Start, x.End), array.NewSlice(got, at, at+x.Len())
						if !array.Equal(a, b) && diffArrays(a, b) != "" {
							t.Errorf("column %s rows %v differ", f.Name, x)
						}
						a.Release()
						b.Release()
						at += x.Len()
					}
					got.Release()
					want.Release()
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		mem.AssertSize(t, 0)
	}
}
