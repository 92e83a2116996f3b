package exec

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// scan makes a scan of some fragments that returns cols for the rows that pass filter, which is the request's or nil.
func (r *searchRun) scan(req *searchRequest, frags []*lancefmt.Fragment, filter expr.Expr, cols []plan.ScanCol) (*scanOp, error) {
	n := &plan.Scan{Limit: -1, Unordered: true, EstimatedRows: -1}
	n.Selection = plan.Selection{Snap: req.selection.Snap, Name: req.selection.Name, Filter: filter, Selectivity: -1}
	if filter != nil {
		n.Index, n.Zones = req.selection.Index, req.selection.Zones
	}
	n.Read = append(n.Read, req.selection.Read...)
	for _, c := range cols {
		n.Read = append(n.Read, c)
		n.Out = append(n.Out, c.Col)
	}
	op, err := newScan(n, r.env)
	if err != nil {
		return nil, err
	}
	s := op.(*scanOp)
	s.frags = frags
	return s, nil
}

// runScan drives a scan with all workers, and adds its counters to the search's.
func (r *searchRun) runScan(ctx context.Context, s *scanOp, fn eachFunc) error {
	return r.driveScan(ctx, s, func() error { return s.each(ctx, fn) })
}

// driveScan runs what drives a scan, and adds its counters to the search's.
func (r *searchRun) driveScan(ctx context.Context, s *scanOp, drive func() error) error {
	defer s.Close()
	if err := s.Open(ctx); err != nil {
		return err
	}
	err := drive()
	r.stats.addWork(&s.stats)
	return err
}

// rowPlace is a row by id and address.
type rowPlace struct{ id, addr uint64 }

// rowPlaceBytes is the memory of a rowPlace.
const rowPlaceBytes = 16

// scanRows are the rows of some fragments that pass a filter, in no order. rowPlaceBytes for each are reserved in the run's share, and
// are the caller's to release.
func (r *searchRun) scanRows(ctx context.Context, req *searchRequest, frags []*lancefmt.Fragment, filter expr.Expr) ([]rowPlace, error) {
	s, err := r.scan(req, frags, filter, []plan.ScanCol{req.rowIDCol(), req.rowAddrCol()})
	if err != nil {
		return nil, err
	}
	found := make([][]rowPlace, r.env.workers())
	err = r.runScan(ctx, s, func(_ context.Context, worker int, _ position, b arrow.RecordBatch) error {
		if err := r.share.reserve(rowPlaceBytes * b.NumRows()); err != nil {
			return err
		}
		ids, addrs := b.Column(0).(*array.Uint64).Uint64Values(), b.Column(1).(*array.Uint64).Uint64Values()
		for i := range ids {
			found[worker] = append(found[worker], rowPlace{ids[i], addrs[i]})
		}
		return nil
	})
	return slices.Concat(found...), err
}
