package calibrate

import (
	"context"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"
)

// measured is what a level finds.
type measured struct {
	// places has, for each query, the places of its answers among the candidates, counted from 1, ascending; those that are
	// not among them are not in it. It has fewer queries than the calibration where the level costs much.
	places [][]int32
	codes  float64 // distances computed for a query
}

// Bounds of the work for a level: so many distances to codes, but no fewer queries than these.
const (
	levelCodes   = 20e6
	levelQueries = 16
)

// measure searches the index at a level for the first queries, unless that is known already.
func (c *Calibration) measure(ctx context.Context, src Source, l Level) (*measured, error) {
	if m := c.levels[l]; m != nil {
		return m, nil
	}
	scan := max(1, float64(c.cfg.Rows)*float64(l.NProbes)/float64(max(1, c.cfg.Partitions))*float64(max(1, c.cfg.Vectors)))
	n := min(len(c.queries), max(levelQueries, int(levelCodes/scan)))
	count := c.cfg.K * c.mostRefine()
	if l.EF > 0 {
		count = min(count, l.EF)
	}
	count = max(1, ceil(c.share*float64(count)))
	m := &measured{places: make([][]int32, n)}
	codes := make([]int64, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.cfg.Workers)
	for i, q := range c.queries[:n] {
		g.Go(func() error {
			hits, scanned, err := src.Search(ctx, q.Query, l, count+1, c.within)
			if err != nil {
				return err
			}
			codes[i] = scanned
			wanted := make(map[uint64]bool, len(q.answers))
			for _, id := range q.answers {
				wanted[id] = true
			}
			place := int32(0)
			for _, h := range hits {
				if h.RowID == q.RowID {
					continue // left out of the answers
				}
				place++
				if wanted[h.RowID] {
					m.places[i] = append(m.places[i], place)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, n := range codes {
		m.codes += float64(n) / float64(len(codes))
	}
	c.levels[l] = m
	return m, nil
}

// mostRefine is the largest refine factor that is tried: beyond, more partitions or exact search are the better choice.
func (c *Calibration) mostRefine() int {
	if !c.cfg.Approximate {
		return 1
	}
	if c.cfg.K > 1000 {
		return 5
	}
	return min(100, max(10, 2000/c.cfg.K))
}

// Estimate is a recall as measured on a few queries.
type Estimate struct {
	Recall  float64 // the mean over the queries
	Margin  float64 // 2.326 standard errors of the mean: 99 in 100 samples are not farther above the truth
	Queries int
}

// recall is the recall if the first candidates, so many of the table, are refined.
func (c *Calibration) recall(m *measured, candidates int) Estimate {
	most := int32(c.share*float64(candidates) + 1e-9) // of a sample, perhaps none
	var each []float64
	for i, places := range m.places {
		if n := len(c.queries[i].answers); n > 0 {
			found, _ := slices.BinarySearch(places, most+1)
			each = append(each, float64(found)/float64(n))
		}
	}
	return NewEstimate(each, c.k)
}

// confidence is the quantile of the normal distribution below which 99 % lie. Choose takes the cheapest of several levels, one
// that is favoured by luck if any is, so that of choices less than of levels keep what they promise: on tables of random clusters,
// with one that is kept 95 times in 100 for each level, one choice in ten fell short.
const confidence = 2.326

// StandardError is that of the mean.
func (e Estimate) StandardError() float64 { return e.Margin / confidence }

// NewEstimate is the estimate from the recalls of some queries of k answers each.
func NewEstimate(recalls []float64, k int) Estimate {
	n := float64(len(recalls))
	if n == 0 {
		return Estimate{}
	}
	var sum, squares float64
	for _, r := range recalls {
		sum += r
	}
	mean := sum / n
	for _, r := range recalls {
		squares += (r - mean) * (r - mean)
	}
	deviation := 0.0
	if n > 1 {
		deviation = math.Sqrt(squares / (n - 1))
	}
	// Where every answer was found, the next might not have been: nor only one, since those of a query lie in the same partitions.
	least := 1 / (n * math.Sqrt(float64(max(1, k))))
	return Estimate{Recall: mean, Margin: confidence * max(deviation/math.Sqrt(n), least), Queries: len(recalls)}
}
