package op

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every counter is merged and, if it has a name, shown by the one list.
func TestCountersAreOneList(t *testing.T) {
	var a, b, work OpStats
	a.RowsRead.Add(2)
	b.RowsRead.Add(3)
	a.PeakBytes.raise(10)
	b.PeakBytes.raise(7)
	b.Rows.Add(5)
	b.Partitions.Add(1)
	b.PartitionsN.Add(4)
	b.Note("exact")
	a.Add(&b)
	require.EqualValues(t, 5, a.RowsRead.Load())
	require.EqualValues(t, 10, a.PeakBytes.Load(), "the larger one")
	require.EqualValues(t, 5, a.Rows.Load())
	require.Equal(t, []string{"exact"}, a.Notes())
	work.AddWork(&b)
	require.Zero(t, work.Rows.Load(), "what a part returns is not what the whole returns")
	require.EqualValues(t, 3, work.RowsRead.Load())
	require.Equal(t, []Reading{
		{"rows", "5"}, {"batches", "0"}, {"time", "0s"}, {"rows_read", "5"},
		{"partitions_probed", "1 of 4"}, {"peak_bytes", "10"},
	}, a.Readings())
	var quiet OpStats
	quiet.RowsRead.Add(1)
	require.Zero(t, testing.AllocsPerRun(10, func() { a.Add(&quiet) }))
}
