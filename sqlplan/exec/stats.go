package exec

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/kernel"
)

// Counter is a number that goroutines add to.
type Counter struct{ atomic.Int64 }

// raise sets the counter to n if n is larger.
func (c *Counter) raise(n int64) { raise(&c.Int64, n) }

// OpStats counts what an operator did, for EXPLAIN ANALYZE and progress. All counters may be read
// while the operator runs.
type OpStats struct {
	Name   string // as EXPLAIN shows it: "LanceScan", "ANNSubIndex", …
	Detail string // what it does: columns, filter, keys; set by Build

	Rows, Batches, Bytes Counter // returned to the parent
	Nanos                Counter // wall time inside Next, inputs included
	WorkerNanos          Counter // summed over the operator's own goroutines

	RowsRead                     Counter // rows looked at: rows the filter of a scan saw, vectors compared
	BytesRead                    Counter // logical bytes of column values decoded
	Requests                     Counter // reads of column data asked of a fragment
	PeakBytes                    Counter // most memory reserved at once
	SpillBytes                   Counter // written to temporary files
	Morsels                      Counter // pieces of work a scan was cut into
	Partitions                   Counter // index partitions probed…
	PartitionsN                  Counter // …of so many
	Codes                        Counter // quantised codes scanned
	IndexRows                    Counter // rows that scalar indices left over, of IndexedFragments…
	Rechecked                    Counter // …of which so many were evaluated because an index was not sure
	IndexReads, IndexBytes       Counter // reads of scalar indices' files, and the bytes of values decoded
	IndexNanos                   Counter // wall time of asking scalar indices
	IndexedFragments, FragmentsN Counter // fragments that scalar indices narrowed down, of so many
	ZonesPruned, Zones           Counter // zones of rows that statistics learnt by earlier scans rule out, of so many
	Refined                      Counter // candidates whose distance was recomputed from the vector
	Queries, QueryBatches        Counter // vectors that were searched for together with others, and in how many batches

	mu    sync.Mutex
	notes []string
}

// Note records a remark in words, once: strategy, "exact" or "approximate", fallbacks.
func (s *OpStats) Note(note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.notes, note) {
		s.notes = append(s.notes, note)
	}
}

// Notes returns the remarks in the order they were made.
func (s *OpStats) Notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notes)
}

// add sums the counters of another operator, which ran as a part of this one, and takes its remarks.
func (s *OpStats) add(o *OpStats) {
	for _, c := range [][2]*Counter{
		{&s.Rows, &o.Rows}, {&s.Batches, &o.Batches}, {&s.Bytes, &o.Bytes}, {&s.Nanos, &o.Nanos}, {&s.WorkerNanos, &o.WorkerNanos},
		{&s.RowsRead, &o.RowsRead}, {&s.BytesRead, &o.BytesRead}, {&s.Requests, &o.Requests}, {&s.SpillBytes, &o.SpillBytes},
		{&s.Morsels, &o.Morsels}, {&s.Partitions, &o.Partitions}, {&s.PartitionsN, &o.PartitionsN}, {&s.Codes, &o.Codes},
		{&s.IndexRows, &o.IndexRows}, {&s.Rechecked, &o.Rechecked}, {&s.IndexReads, &o.IndexReads}, {&s.IndexBytes, &o.IndexBytes},
		{&s.IndexNanos, &o.IndexNanos}, {&s.IndexedFragments, &o.IndexedFragments}, {&s.FragmentsN, &o.FragmentsN},
		{&s.ZonesPruned, &o.ZonesPruned}, {&s.Zones, &o.Zones}, {&s.Refined, &o.Refined},
		{&s.Queries, &o.Queries}, {&s.QueryBatches, &o.QueryBatches},
	} {
		c[0].Add(c[1].Load())
	}
	s.PeakBytes.raise(o.PeakBytes.Load())
	for _, n := range o.Notes() {
		s.Note(n)
	}
}

func (s *OpStats) count(rec arrow.RecordBatch) {
	s.Rows.Add(rec.NumRows())
	s.Batches.Add(1)
	s.Bytes.Add(kernel.BatchBytes(rec))
}
