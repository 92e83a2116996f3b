package calibrate

import (
	"context"
	"math"
)

// Choice is how to search.
type Choice struct {
	// Exact says that no level reaches the recall with certainty: exact search does.
	Exact bool
	Level
	// Candidates is the number of candidates to refine, whatever number of rows of the class is wanted.
	Candidates int
	Estimate           // of the level; of the widest if Exact
	Share      float64 // of the rows that the measurement looked at
}

// Refine is the refine factor of a choice for a search for k rows.
func (c Choice) Refine(k int) int { return max(1, (c.Candidates+k-1)/max(1, k)) }

// Choose returns the cheapest way to search the index that reaches a recall. It measures levels as far as that was not done
// before. What is chosen depends on the table, the index and the recall alone.
func (c *Calibration) Choose(ctx context.Context, src Source, minRecall float64) (Choice, error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return Choice{}, context.Cause(ctx)
	}
	best := Choice{Exact: true, Share: c.share}
	if len(c.queries) == 0 || c.cfg.Partitions == 0 {
		return best, nil
	}
	cost := math.Inf(1)
	// try is one level; it reports whether the level reaches the recall.
	try := func(l Level) (bool, error) {
		m, err := c.measure(ctx, src, l)
		if err != nil {
			return false, err
		}
		most := c.mostRefine()
		if l.EF > 0 {
			most = min(most, l.EF/c.cfg.K)
		}
		for r := 1; r <= most; r++ {
			e := c.recall(m, r*c.cfg.K)
			if e.Recall-e.Margin < minRecall {
				if best.Exact && e.Recall > best.Recall {
					best.Estimate, best.Level, best.Candidates = e, l, r*c.cfg.K
				}
				continue
			}
			if now := c.cost(m, r*c.cfg.K); now < cost || now == cost && l.EF < best.EF {
				best, cost = Choice{Level: l, Candidates: r * c.cfg.K, Estimate: e, Share: c.share}, now
			}
			return true, nil
		}
		return false, nil
	}

	widest := 0 // EF
	if c.cfg.Walks {
		widest = c.widths()[len(c.widths())-1]
	}
	// Twice as many partitions each time, until one level does.
	reached := 0
	for _, p := range doublings(c.cfg.Partitions) {
		ok, err := try(Level{p, widest})
		if err != nil {
			return best, err
		}
		if ok {
			reached = p
			break
		}
	}
	if reached == 0 {
		return best, nil
	}
	// Fewer partitions may do, and more may save refining, as long as scanning them alone is cheaper than the best so far.
	for _, p := range rungs(c.cfg.Partitions) {
		if p <= reached/2 {
			continue
		}
		m, err := c.measure(ctx, src, Level{p, widest})
		if err != nil {
			return best, err
		}
		if p > reached && (c.cfg.Walks || c.cost(m, c.cfg.K) >= cost) {
			break
		}
		ok, err := try(Level{p, widest})
		if err != nil {
			return best, err
		}
		if !ok || !c.cfg.Walks {
			continue
		}
		for _, ef := range c.widths() {
			if ok, err = try(Level{p, ef}); err != nil {
				return best, err
			}
			if ok {
				break
			}
		}
	}
	return best, nil
}

// What work costs, in nanoseconds of one core: a look-up in the tables of a product quantizer over a code of some dozens of bytes,
// a number of a vector that is in the cache, a row met on a walk, a row fetched and compared.
const (
	codeNanos    = 8
	elementNanos = 0.3
	walkNanos    = 100
	rowNanos     = 1000
)

func (c *Calibration) cost(m *measured, candidates int) float64 {
	each := codeNanos
	if !c.cfg.Approximate {
		each = int(math.Ceil(elementNanos * float64(c.cfg.Dim)))
	}
	if c.cfg.Walks {
		each += walkNanos
	}
	cost := m.codes * float64(each)
	if c.cfg.Approximate {
		cost += float64(candidates) * rowNanos
	}
	return cost
}

// doublings are 1, 2, 4, … and most.
func doublings(most int) (out []int) {
	for p := 1; p < most; p *= 2 {
		out = append(out, p)
	}
	return append(out, most)
}

// rungs are 1, 2, 3, 4, 6, 8, 12, … and most.
func rungs(most int) (out []int) {
	for p := 1; p < most; p *= 2 {
		out = append(out, p)
		if q := p + p/2; q > p && q < most {
			out = append(out, q)
		}
	}
	return append(out, most)
}

// widths are the numbers of candidates kept on a walk that are tried, ascending.
func (c *Calibration) widths() (out []int) {
	for _, times := range []int{1, 2, 4, 8, 16, 32, 64} {
		w := times * c.cfg.K
		if w < 16 {
			continue
		}
		out = append(out, w)
		if w >= 4096 && times >= 4 {
			break
		}
	}
	return out
}
