package calibrate

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
)

// Range are the positions Start <= p < End.
type Range struct{ Start, End int64 }

// Level is how widely an index is searched.
type Level struct {
	NProbes int // partitions of each segment
	EF      int // candidates that a walk of a graph keeps; 0 where there is none
}

// Source is a column of a table with its index, as searches see them. It is safe for concurrent use.
type Source interface {
	Metric() vecindex.Metric
	// NumPositions is the number of places at which rows of the index's fragments are or, where rows were deleted,
	// have been.
	NumPositions() int64
	// Read calls f with the rows that are at some positions, ranges ascending and apart, from several goroutines at
	// once; worker is below workers and unique among the calls under way. vectors are the call's.
	Read(ctx context.Context, ranges []Range, workers int, f func(worker int, vectors arrow.Array, rowIDs []uint64) error) error
	// Search returns the count nearest rows by the index's own distances, ascending, and the number of distances
	// computed. within, if not nil, are the rows that may be found; then no more partitions are probed than the level has.
	Search(ctx context.Context, query Query, l Level, count int, within *vecindex.RowSet) ([]vecindex.Hit, int64, error)
}

// Query is a row that is asked for its neighbours: with its vector, or with some of them where rows are lists of vectors.
type Query struct {
	RowID   uint64
	Vectors [][]float32
}

// Config says what is calibrated.
type Config struct {
	K           int   // number of rows wanted: what Class returned
	Dim         int   // of the vectors
	Partitions  int   // of the segment that has most
	Rows        int64 // in the index; vectors where rows are lists of them
	Vectors     int   // of a query, at most, where rows are lists of vectors; 0 where they are not
	RowVectors  int   // of a row, about, where rows are lists of vectors
	Approximate bool  // the index's distances are estimates, which refining corrects
	Walks       bool  // the index has graphs
	Workers     int   // goroutines; the outcome does not depend on it
	// Products bounds the multiplications for the exact answers; 0 means DefaultProducts.
	Products int64
}

// DefaultProducts take about a second on two cores, and the reading of the rows another: 150,000
// rows of 768 dimensions against 128 queries.
const DefaultProducts = 15e9

// Class is the number of rows, at least k, that a search for k rows is calibrated for: 1, 2, 5, 10, 20, 50, 100, …. The
// neighbours that fewer rows ask for are nearer, and found by the same partitions and the same number of candidates.
func Class(k int) int {
	for step := 1; ; step *= 10 {
		for _, c := range []int{1, 2, 5} {
			if k <= c*step {
				return c * step
			}
		}
	}
}

// Calibration is what is known of one index of one version of a table.
type Calibration struct {
	cfg Config
	// turn has a token while nobody measures.
	turn chan struct{}

	queries []query
	share   float64          // of the rows that answers come from
	within  *vecindex.RowSet // these rows; nil = all
	k       int              // answers wanted of the sample: ⌈share·K⌉
	levels  map[Level]*measured
}

// query is a Query with what is true.
type query struct {
	Query
	answers []uint64 // row ids of its k nearest rows, itself left out; fewer where there are no more
}

// New draws queries and finds their exact answers.
func New(ctx context.Context, src Source, cfg Config) (*Calibration, error) {
	if cfg.K <= 0 || cfg.Dim <= 0 {
		return nil, fault.New(fault.Internal, "calibrate for %d rows of %d dimensions", cfg.K, cfg.Dim)
	}
	if cfg.Products == 0 {
		cfg.Products = DefaultProducts
	}
	cfg.Workers = max(1, cfg.Workers)
	c := &Calibration{cfg: cfg, turn: make(chan struct{}, 1), levels: map[Level]*measured{}}
	c.turn <- struct{}{}
	n := numQueries(cfg.K)
	if cfg.Vectors > 0 {
		n = min(n, mostListQueries)
	}
	queries, err := Draw(ctx, src, n, cfg.Vectors, cfg.Workers)
	if err != nil {
		return nil, err
	}
	for _, q := range queries {
		c.queries = append(c.queries, query{Query: q})
	}
	ranges := []Range{{0, src.NumPositions()}}
	c.share = 1
	perRow := int64(cfg.Dim) * int64(max(1, len(c.queries))) * int64(max(1, cfg.Vectors)) * int64(max(1, cfg.RowVectors))
	if rows := cfg.Products / perRow; rows < src.NumPositions() {
		ranges, c.share = sampleBlocks(src.NumPositions(), rows)
		c.within = vecindex.NewRowSet()
	}
	c.k = max(1, ceil(c.share*float64(cfg.K)))
	return c, c.answer(ctx, src, ranges)
}

// NumQueries is the number of queries that were drawn.
func (c *Calibration) NumQueries() int { return len(c.queries) }

// Share is the share of the rows that the exact answers come from; 1 is all.
func (c *Calibration) Share() float64 { return c.share }

// SizeBytes is about the memory that the calibration takes.
func (c *Calibration) SizeBytes() int64 {
	n := int64(1 << 10)
	for _, q := range c.queries {
		n += int64(4*c.cfg.Dim*len(q.Vectors) + 8*len(q.answers))
	}
	if c.within != nil {
		n += int64(float64(c.cfg.Rows) / 8)
	}
	return n + int64(16*len(c.queries)*c.k) // places of the answers at some levels
}
