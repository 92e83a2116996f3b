package indexes

import (
	"context"
	"fmt"
	"math/bits"
	"strings"

	"lanceflight/internal/cache"
	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
)

// Request asks for the knobs with which a vector search reaches the recall that it wants.
type Request struct {
	Snap      *lancefmt.Snapshot // that it reads
	Column    string             // of vectors
	Dim       int                // of the vectors
	Segments  []Segment          // that it searches
	K         int                // rows that it wants
	MinRecall float64            // recall that it wants
	Workers   int                // goroutines; the outcome does not depend on it
	// Searches reads the rows of the segments and runs searches in them. It is used while the request is
	// answered, and not kept.
	Searches calibrate.Source

	// Where rows are lists of vectors, Lists is true, QueryVectors is the number of the query's vectors
	// and RowVectors that of a row's, about.
	Lists                    bool
	QueryVectors, RowVectors int

	// Products bounds the multiplications for the exact answers; 0 is calibrate.DefaultProducts.
	Products int64
}

// Segment is an open segment of a vector index.
type Segment struct {
	Meta  *lancefmt.Index
	Index vecindex.Index
}

// Measure opens what a vector search for k rows would search, with segments from c. release must be called
// when the caller is done with the request. Errors are about the indices, or that of ctx.
type Measure func(ctx context.Context, c *Cache, n *plan.VectorSearch, k int) (r *Request, release func(), err error)

// Calibrate turns the MinRecall of a search for k rows into knobs: what the search will do when it runs.
// Errors are about the indices, or that of ctx.
func (c *Cache) Calibrate(ctx context.Context, n *plan.VectorSearch, k int) (plan.Calibrated, error) {
	if c.measure == nil {
		return plan.Calibrated{}, fault.New(fault.Unsupported, "searches are not measured here")
	}
	r, release, err := c.measure(ctx, c, n, k)
	if err != nil {
		return plan.Calibrated{}, err
	}
	defer release()
	return c.Knobs(ctx, r)
}

// Knobs finds the knobs that reach the wanted recall. Errors are about the indices, or that of ctx.
func (c *Cache) Knobs(ctx context.Context, r *Request) (plan.Calibrated, error) {
	if len(r.Segments) == 0 || r.K == 0 {
		return plan.Calibrated{Exact: true, Recall: "1 (exact)"}, nil
	}
	config := r.config()
	cal, _, err := c.calibrations.Load(ctx, r.key(), func(ctx context.Context) (*calibrate.Calibration, error) {
		return calibrate.New(ctx, r.Searches, config)
	})
	if err != nil {
		return plan.Calibrated{}, err
	}
	choice, err := cal.Choose(ctx, r.Searches, r.MinRecall)
	if err != nil {
		return plan.Calibrated{}, err
	}
	out := plan.Calibrated{Exact: choice.Exact, NProbes: choice.NProbes, EF: choice.EF, Recall: RecallText(choice.Estimate, choice.Share)}
	if choice.Exact {
		out.Recall = fmt.Sprintf("1 (exact); the index alone, at most %s", out.Recall)
		return out, nil
	}
	if config.Approximate {
		out.RefineFactor = choice.Refine(r.K)
	}
	return out, nil
}

// RecallText is an estimate, from a share of the rows, as EXPLAIN shows it.
func RecallText(e calibrate.Estimate, share float64) string {
	text := fmt.Sprintf("%.3f ± %.3f of %d queries", e.Recall, e.Margin, e.Queries)
	if share < 1 {
		text += fmt.Sprintf(" on %.2g of the rows", share)
	}
	return text
}

// class is the number of rows that is calibrated for. Over lists of vectors it decides how many entries are
// looked at, so that it is no other.
func (r *Request) class() int {
	if r.Lists {
		return r.K
	}
	return calibrate.Class(r.K)
}

// queryVectors is the number of vectors of the queries that are calibrated with: as many as the statement's
// query has, or of many a power of two that is no less. More are the harder case: a row may be near to all
// of them together without being among the nearest of any. It is 0 where rows have one vector.
func (r *Request) queryVectors() int {
	n := r.QueryVectors
	if n > 8 {
		n = 1 << bits.Len(uint(n-1))
	}
	return n
}

func (r *Request) config() calibrate.Config {
	c := calibrate.Config{K: r.class(), Dim: r.Dim, Workers: r.Workers, Products: r.Products, Vectors: r.queryVectors()}
	if r.Lists {
		c.RowVectors = r.RowVectors
		c.Approximate = true // a row's distance is the sum of those of the entries found
	}
	for _, seg := range r.Segments {
		c.Partitions = max(c.Partitions, seg.Index.NumPartitions())
		c.Rows += seg.Index.NumRows()
		c.Approximate = c.Approximate || seg.Index.Approximate()
		c.Walks = c.Walks || strings.Contains(seg.Index.Kind(), "HNSW")
	}
	return c
}

// calibrationKey names a calibration: a version of a table does not change, nor do the files of an index.
type calibrationKey struct {
	table    string
	version  uint64
	branch   string
	segments string // the indexKey of each
	column   string
	k        int
	vectors  int // of a query over lists of vectors, or 0
}

func (r *Request) key() calibrationKey {
	var names []string
	for _, seg := range r.Segments {
		names = append(names, fmt.Sprint(keyOf(seg.Meta)))
	}
	return calibrationKey{
		table: r.Snap.Store().URI(), version: r.Snap.Version(), branch: r.Snap.Branch(),
		segments: strings.Join(names, " "), column: r.Column, k: r.class(), vectors: r.queryVectors(),
	}
}

// Bounds of the calibrations kept. One takes some hundred kilobytes: queries, and the row ids of their
// answers.
const (
	maxCalibrations     = 64
	maxCalibrationBytes = 64 << 20
)

func newCalibrations() *cache.Cache[calibrationKey, *calibrate.Calibration] {
	return cache.New(cache.Options[calibrationKey, *calibrate.Calibration]{
		MaxBytes:   maxCalibrationBytes,
		MaxEntries: maxCalibrations,
		KeepLast:   true,
		Cost:       func(_ calibrationKey, c *calibrate.Calibration) int64 { return c.SizeBytes() },
		// One statement's failure may be its own, such as its limit of memory.
		Retry: cache.AnyError,
	})
}
