package op

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/kernel"
)

// Counter is a number that goroutines add to.
type Counter struct{ atomic.Int64 }

// raise sets the counter to n if n is larger.
func (c *Counter) raise(n int64) { raise(&c.Int64, n) }

// OpStats counts what an operator did, for EXPLAIN ANALYZE and progress. All counters may be read
// while the operator runs.
//
// The fields of type Counter are the list of counters: whatever sums, merges or shows counters is a
// loop over them in this order, so that a new counter is a line here and nothing else. A field's tag
// says how it is treated:
//
//	explain:"NAME"   its name in EXPLAIN; without one it is not shown by itself
//	format:"TEXT"    how it is shown, with a %s for its value and one for that of the counter in "with"
//	with:"FIELD"     the counter whose value is shown behind its own
//	when:"FIELD"     it is shown if that counter is not zero ("always": in any case); else if itself is not
//	unit:"ns"        nanoseconds, which are shown as a duration; without a unit it is a plain number
//	merge:"max"      of two operators the larger value counts, instead of the sum
//	of:"output"      it is about the batches that the parent gets, and not about work
type OpStats struct {
	Name string // as EXPLAIN shows it: "LanceScan", "ANNSubIndex", …

	// Rows, batches and bytes returned to the parent, the wall time inside Next with that of the
	// inputs, and the time summed over the operator's own goroutines.
	Rows        Counter `explain:"rows" when:"always" of:"output"`
	Batches     Counter `explain:"batches" when:"always" of:"output"`
	Nanos       Counter `explain:"time" when:"always" unit:"ns" of:"output"`
	WorkerNanos Counter `explain:"worker_time" unit:"ns"`
	Bytes       Counter `explain:"bytes" of:"output"`

	// Rows looked at (those that the filter of a scan saw, vectors compared), logical bytes of the
	// column values decoded, reads of column data asked of a fragment, and the pieces of work that a
	// scan was cut into.
	RowsRead  Counter `explain:"rows_read"`
	BytesRead Counter `explain:"bytes_read"`
	Requests  Counter `explain:"requests"`
	Morsels   Counter `explain:"morsels"`

	// Partitions of a vector index that were probed, of so many.
	Partitions  Counter `explain:"partitions_probed" format:"%s of %s" with:"PartitionsN" when:"PartitionsN"`
	PartitionsN Counter

	// Fragments that scalar indices narrowed down, of so many; the rows that the indices left over,
	// and how many of these were evaluated because an index was not sure; reads of the indices' files,
	// bytes of values decoded, and the wall time of asking.
	IndexedFragments Counter `explain:"fragments_by_index" format:"%s of %s" with:"FragmentsN" when:"FragmentsN"`
	FragmentsN       Counter
	IndexRows        Counter `explain:"index_rows" when:"FragmentsN"`
	Rechecked        Counter `explain:"rows_rechecked"`
	IndexReads       Counter `explain:"index_reads"`
	IndexBytes       Counter `explain:"index_bytes"`
	IndexNanos       Counter `explain:"index_time" unit:"ns" when:"FragmentsN"`

	// Zones of rows that statistics learnt by earlier scans rule out, of so many.
	ZonesPruned Counter `explain:"zones_pruned" format:"%s of %s" with:"Zones"`
	Zones       Counter

	// Vectors that were searched for together with others, and in how many batches.
	Queries      Counter `explain:"queries" format:"%s in %s batches" with:"QueryBatches"`
	QueryBatches Counter

	Codes      Counter `explain:"codes_scanned"`          // quantised codes compared
	Refined    Counter `explain:"rows_refined"`           // candidates whose distance was recomputed from the vector
	PeakBytes  Counter `explain:"peak_bytes" merge:"max"` // most memory reserved at once
	SpillBytes Counter `explain:"spill_bytes"`            // written to temporary files

	mu    sync.Mutex
	notes []string
}

// counterField is what the tag of a Counter in OpStats says.
type counterField struct {
	field        int    // of OpStats
	name, format string // as EXPLAIN shows it; no name: not shown
	with, when   int    // fields of OpStats; -1 = none
	always       bool
	nanos        bool
	largest      bool
	output       bool
}

// counterFields is the list of counters, in the order of OpStats.
var counterFields = readCounterFields()

func readCounterFields() (list []counterField) {
	t := reflect.TypeFor[OpStats]()
	find := func(name string) int {
		f, ok := t.FieldByName(name)
		if !ok {
			panic("exec: a counter's tag names the field " + name + ", which does not exist")
		}
		return f.Index[0]
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type != reflect.TypeFor[Counter]() {
			continue
		}
		c := counterField{
			field: i, name: f.Tag.Get("explain"), format: f.Tag.Get("format"), with: -1, when: i,
			nanos: f.Tag.Get("unit") == "ns", largest: f.Tag.Get("merge") == "max",
			output: f.Tag.Get("of") == "output",
		}
		if with := f.Tag.Get("with"); with != "" {
			c.with = find(with)
		}
		switch when := f.Tag.Get("when"); when {
		case "":
		case "always":
			c.always = true
		default:
			c.when = find(when)
		}
		list = append(list, c)
	}
	return list
}

// counterIn returns the counter in a field. It allocates nothing.
func counterIn(stats reflect.Value, field int) *Counter {
	return stats.Field(field).Addr().Interface().(*Counter)
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

// Add adds the counters of another operator, and takes its remarks. Both may be running.
func (s *OpStats) Add(o *OpStats) { s.merge(o, true) }

// AddWork is Add for an operator that works inside of this one: the batches that it hands over do not
// count as batches of this one.
func (s *OpStats) AddWork(o *OpStats) { s.merge(o, false) }

func (s *OpStats) merge(o *OpStats, withOutput bool) {
	to, from := reflect.ValueOf(s).Elem(), reflect.ValueOf(o).Elem()
	for _, c := range counterFields {
		switch n := counterIn(from, c.field).Load(); {
		case n == 0, c.output && !withOutput:
		case c.largest:
			counterIn(to, c.field).raise(n)
		default:
			counterIn(to, c.field).Add(n)
		}
	}
	for _, n := range o.Notes() {
		s.Note(n)
	}
}

// Reading is the value of a counter as EXPLAIN shows it.
type Reading struct{ Name, Value string }

// Readings are the counters that have something to show.
func (s *OpStats) Readings() (shown []Reading) {
	stats := reflect.ValueOf(s).Elem()
	for _, c := range counterFields {
		if c.name == "" || !c.always && counterIn(stats, c.when).Load() == 0 {
			continue
		}
		value := fmt.Sprint(counterIn(stats, c.field).Load())
		if c.nanos {
			value = time.Duration(counterIn(stats, c.field).Load()).Round(time.Microsecond).String()
		}
		if c.with >= 0 {
			value = fmt.Sprintf(c.format, value, fmt.Sprint(counterIn(stats, c.with).Load()))
		}
		shown = append(shown, Reading{Name: c.name, Value: value})
	}
	return shown
}

func (s *OpStats) Count(rec arrow.RecordBatch) {
	s.Rows.Add(rec.NumRows())
	s.Batches.Add(1)
	s.Bytes.Add(kernel.BatchBytes(rec))
}
