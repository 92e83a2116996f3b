package lancefmt

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// TestMatch compares tests of values with the values, for every column of every fixture.
func TestMatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	tested := 0
	readables(t, func(t *testing.T, name string, _ answers) {
		mem := checked(t)
		table := open(t, name)
		snap, err := table.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		for _, f := range snap.Fragments() {
			for _, column := range snap.Schema().Fields() {
				for try := range 4 {
					rows := []encoding.Range{{End: f.NumPhysicalRows()}}
					if try > 0 {
						if rows = someRanges(rng, f.NumPhysicalRows()); len(rows) == 0 {
							continue
						}
					}
					b, err := f.Read(ctx, Columns(column.Name), rows, mem)
					if err != nil {
						require.Equal(t, fault.Unsupported, fault.KindOf(err))
						break
					}
					require.Empty(t, checkMatch(f, column.Name, rows, b.Column(0), rng, mem),
						"%s: %s of fragment %d, rows %v", name, column.Name, f.ID(), rows)
					b.Release()
				}
			}
			if ok, err := f.Match(ctx, ColumnRef{Name: snap.Schema().Field(0).Name}, 0, f.NumPhysicalRows()+1, &encoding.Test{Bits: 64},
				make([]uint64, 1<<16), mem); err == nil || ok {
				t.Fatalf("rows behind the last are tested")
			}
			tested++
		}
		require.NoError(t, table.Close())
	})
	require.Greater(t, tested, 50)
}
