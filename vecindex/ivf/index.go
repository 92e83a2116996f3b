package ivf

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// index implements vecindex.Index.
type index struct {
	model   Model
	store   Store
	numRows int64
	scratch sync.Pool // *scratch
}

// New makes an index of a model and its partitions. The index owns the store and keeps the model's
// slices. Sizes that contradict each other are a CorruptError.
func New(m Model, s Store) (vecindex.Index, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	if m.Kind == "" {
		m.Kind = "IVF_" + m.Quantizer.Kind()
	}
	x := &index{model: m, store: s}
	for _, n := range m.Lengths {
		x.numRows += int64(n)
	}
	x.scratch.New = func() any { return &scratch{scorer: m.Quantizer.NewScorer()} }
	return x, nil
}

func (x *index) Metric() vecindex.Metric { return x.model.Metric }
func (x *index) Dim() int                { return x.model.Quantizer.Dim() }
func (x *index) NumPartitions() int      { return len(x.model.Lengths) }
func (x *index) NumRows() int64          { return x.numRows }
func (x *index) Kind() string            { return x.model.Kind }
func (x *index) Approximate() bool       { return x.model.Quantizer.Approximate() }
func (x *index) Close() error            { return x.store.Close() }

func (x *index) DistanceScale() float32 {
	if x.model.Metric == vecindex.Cosine && x.model.Quantizer.Approximate() {
		return 2
	}
	return 1
}

// prepare checks the query and brings it to the form in which vectors were indexed.
func (x *index) prepare(query []float32) ([]float32, error) {
	if len(query) != x.Dim() {
		return nil, fault.New(fault.InvalidArgument, "the query vector has %d dimensions, the indexed column %d", len(query), x.Dim())
	}
	v := append([]float32(nil), query...)
	round := func() {
		if x.model.Half {
			for i, e := range v {
				v[i] = half.Round(e)
			}
		}
	}
	round()
	// Checks for NaN and infinities, also those that rounding made.
	if _, err := distance.NewQuery(x.model.Metric, v); err != nil {
		return nil, err
	}
	if x.model.Metric == vecindex.Cosine {
		if x.model.Double {
			distance.NormalizeDouble(v, v)
		} else {
			distance.Normalize(v, v)
		}
		round()
	}
	return v, nil
}

// Search implements vecindex.Index.
func (x *index) Search(ctx context.Context, query []float32, p vecindex.Params) (vecindex.Result, error) {
	s, err := x.start(ctx, query, p)
	if err != nil {
		return s.result(), err
	}
	for len(s.order) > 0 {
		if err := s.round(s.order[:s.next]); err != nil {
			return vecindex.Result{Stats: vecindex.Stats{PartitionsTotal: x.NumPartitions()}}, err
		}
		s.advance()
	}
	return s.result(), nil
}

// start ranks the partitions for a query. The search has none where nothing can be found.
func (x *index) start(ctx context.Context, query []float32, p vecindex.Params) (*search, error) {
	s := &search{index: x, ctx: ctx, params: p, enough: int64(p.K)}
	v, err := x.prepare(query)
	if err != nil {
		return s, err
	}
	s.query = v
	if p.K <= 0 || v[0] != v[0] { // normalising made a zero vector NaN: at no distance from anything
		return s, nil
	}
	probes := p.NProbes
	if probes <= 0 {
		probes = vecindex.DefaultNProbes
	}
	s.probes = min(probes, x.NumPartitions())
	s.next = s.probes
	s.widened = p.Filter == nil || p.Widen <= 1
	limit := s.next
	if p.Filter != nil {
		limit = x.NumPartitions()
		if p.MaxNProbes > 0 {
			limit = max(s.next, min(p.MaxNProbes, limit))
		}
	}
	if c, ok := p.Filter.(interface{ Len() int }); ok {
		s.enough = min(s.enough, int64(c.Len()))
	}
	s.best = newBest(p.K)
	s.order, err = x.model.rank(v, limit)
	return s, err
}

// widen returns how many partitions to probe after the first probed ones, up to limit in all, so that as many rows pass the
// filter as those had: passed of met have.
func widen(probed, limit int, met, passed int64) int {
	if passed <= 0 || met <= passed {
		return 0
	}
	more := min(float64(probed)*float64(met-passed)/float64(passed), float64(limit-probed))
	return max(0, int(more+0.5))
}

// search is one query under way. Between rounds it belongs to the searching goroutine alone.
type search struct {
	index  *index
	ctx    context.Context
	query  []float32
	params vecindex.Params

	order   []int // partitions still to be probed, nearest first
	next    int   // of which so many in the next round
	probes  int   // of the first round
	enough  int64 // rows to find; probing goes on below them
	met     int64 // rows of the partitions probed
	widened bool  // Params.Widen is not to be looked at again

	best      *best
	stats     vecindex.Stats
	survivors int64 // rows that passed the filter
}

// advance decides, after a round, about the next one.
func (s *search) advance() {
	for _, part := range s.order[:s.next] {
		s.met += int64(s.index.model.Lengths[part])
	}
	s.order = s.order[s.next:]
	switch {
	case s.survivors < s.enough:
		s.next = s.stats.PartitionsProbed // doubles what was probed
	case s.widened:
		s.next = 0
	default:
		// Once: the share of rows that pass is about the same in the partitions that follow.
		s.widened = true
		s.next = widen(s.stats.PartitionsProbed, s.probes*s.params.Widen, s.met, s.survivors)
	}
	if s.next = min(s.next, len(s.order)); s.next == 0 {
		s.order = nil
	}
}

func (s *search) result() vecindex.Result {
	s.stats.PartitionsTotal = s.index.NumPartitions()
	return vecindex.Result{Hits: s.best.hits(), Stats: s.stats}
}

// parallelBytes is the amount of codes below which a second goroutine costs more than it saves: about
// 0.2 ms of scanning.
const parallelBytes = 512 << 10

// round probes partitions.
func (s *search) round(partitions []int) error {
	var work int64
	for _, p := range partitions {
		work += int64(s.index.model.Lengths[p]) * int64(s.index.model.Quantizer.CodeBytes())
	}
	workers := s.params.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, len(partitions), int(work/parallelBytes)+1)

	if workers == 1 {
		w := s.newWorker()
		for len(partitions) > 0 {
			n := min(2, len(partitions))
			if err := w.probeAll(s.ctx, partitions[:n]); err != nil {
				return err
			}
			partitions = partitions[n:]
		}
		s.collect(w)
		return nil
	}

	group, ctx := errgroup.WithContext(s.ctx)
	// Two at a time, unless that would leave some workers with nothing while others have two.
	take := 1
	if len(partitions) >= 4*workers {
		take = 2
	}
	var next atomic.Int64
	all := make([]*worker, workers)
	for i := range all {
		w := s.newWorker()
		all[i] = w
		group.Go(func() error {
			for {
				i := int(next.Add(int64(take))) - take
				if i >= len(partitions) {
					return nil
				}
				if err := w.probeAll(ctx, partitions[i:min(i+take, len(partitions))]); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, w := range all {
		s.collect(w)
	}
	return nil
}

// collect adds what a worker counted, and takes its memory back.
func (s *search) collect(w *worker) {
	s.stats.Add(w.stats)
	s.survivors += w.survivors
	s.index.scratch.Put(w.scratch)
}

// bounds returns the half-open range of distances wanted; ok is false when there is none.
func bounds(p vecindex.Params) (lo, hi float32, ok bool) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	if p.LowerBound != nil {
		lo, ok = *p.LowerBound, true
	}
	if p.UpperBound != nil {
		hi, ok = *p.UpperBound, true
	}
	return lo, hi, ok
}
