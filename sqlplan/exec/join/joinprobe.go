package join

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// probe joins one left batch, one output batch at a time: a row may have any number of partners.
type probe struct {
	j     *joinOp
	left  arrow.RecordBatch
	heads []int32 // next partner of each row, -1 = no more
	row   int     // being joined
	limit int     // pairs per output batch
	// has tells the left rows that have had a partner; for the kinds that must know.
	has  []bool
	tail bool // what depends on has was put out
}

func (j *joinOp) newProbe(ctx context.Context, left arrow.RecordBatch) (*probe, error) {
	keys, err := op.EvalAll(ctx, j.leftKeys, op.Input(j.Env, left))
	if err != nil {
		return nil, err
	}
	defer op.ReleaseAll(keys)
	heads, err := j.table.lookup(keys, int(left.NumRows()))
	if err != nil {
		return nil, err
	}
	width := j.table.width + float64(kernel.BatchBytes(left))/float64(left.NumRows())
	p := &probe{j: j, left: left, heads: heads}
	p.limit = int(max(1, min(1<<20, float64(j.Env.BatchSize())/max(width, 1))))
	left.Retain()
	if j.residual != nil || j.node.Kind.LeftOnly() {
		p.has = make([]bool, left.NumRows())
	}
	return p, nil
}

// next returns the next output batch, or io.EOF.
func (p *probe) next(ctx context.Context) (arrow.RecordBatch, error) {
	j := p.j
	if j.node.Kind.LeftOnly() {
		return p.exists(ctx)
	}
	for p.row < len(p.heads) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		found, err := p.filter(ctx, p.collect(j.keepsLeft() && j.residual == nil))
		if err != nil {
			return nil, err
		}
		if len(found.left) > 0 {
			return j.output(p.left, found)
		}
	}
	if p.tail || !j.keepsLeft() || j.residual == nil {
		return nil, io.EOF
	}
	p.tail = true
	var alone pairs
	for r, has := range p.has {
		if !has {
			alone.add(int32(r), j.table.nullRef())
		}
	}
	if len(alone.left) == 0 {
		return nil, io.EOF
	}
	return j.output(p.left, alone)
}

// collect takes up to limit candidate pairs; with nulls, rows without any get the NULL row.
func (p *probe) collect(nulls bool) (found pairs) {
	t := p.j.table
	for ; p.row < len(p.heads) && len(found.left) < p.limit; p.row++ {
		n := p.heads[p.row]
		if n == noPartner && nulls {
			found.add(int32(p.row), t.nullRef())
		}
		for n >= 0 && len(found.left) < p.limit {
			found.add(int32(p.row), t.rows[n])
			if t.matched != nil && p.j.residual == nil {
				t.matched[n] = true
			}
			n = t.chain[n]
		}
		if p.heads[p.row] = n; n >= 0 {
			return found // the row has more partners
		}
		p.heads[p.row] = exhausted
	}
	return found
}

// The heads of rows without (further) partners.
const (
	noPartner = -1
	exhausted = -2
)

// filter drops the pairs that fail the residual, and notes who has a partner.
func (p *probe) filter(ctx context.Context, c pairs) (pairs, error) {
	j := p.j
	if j.residual == nil || len(c.left) == 0 {
		return c, nil
	}
	sel, err := j.passes(ctx, p.left, c)
	if err != nil {
		return pairs{}, err
	}
	var kept pairs
	for _, i := range sel {
		kept.add(c.left[i], c.right[i])
		p.has[c.left[i]] = true
		if j.table.matched != nil {
			j.table.matched[j.table.row(c.right[i])] = true
		}
	}
	return kept, nil
}

// exists puts out the left rows that have a partner (SEMI) or have none (ANTI), once each.
func (p *probe) exists(ctx context.Context) (arrow.RecordBatch, error) {
	if p.tail {
		return nil, io.EOF
	}
	p.tail = true
	if p.j.residual == nil {
		for r, n := range p.heads {
			p.has[r] = n >= 0
		}
	} else {
		for p.row < len(p.heads) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if _, err := p.filter(ctx, p.collect(false)); err != nil {
				return nil, err
			}
		}
	}
	var out pairs
	for r, has := range p.has {
		if has == (p.j.node.Kind == plan.SemiJoin) {
			out.left = append(out.left, int32(r))
		}
	}
	if len(out.left) == 0 {
		return nil, io.EOF
	}
	return p.j.output(p.left, out)
}

func (p *probe) release() { p.left.Release() }

func (p *pairs) add(left int32, right gather.Ref) {
	p.left = append(p.left, left)
	p.right = append(p.right, right)
}

// nullRef is the row of NULLs behind the batches.
func (t *joinTable) nullRef() gather.Ref { return gather.Ref{Batch: int32(len(t.batches))} }

// row is the number of a right row in input order.
func (t *joinTable) row(r gather.Ref) int { return int(t.first[r.Batch] + r.Row) }
