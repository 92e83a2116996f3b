package search

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// scan makes a scan of some fragments that returns cols for the rows that pass filter, which is the request's or nil.
func (r *Run) scan(req *Request, frags []*lancefmt.Fragment, filter expr.Expr, cols []plan.ScanCol) (*scan.ScanOp, error) {
	n := &plan.Scan{Limit: -1, Unordered: true, EstimatedRows: -1}
	n.Selection = plan.Selection{Snap: req.Selection.Snap, Name: req.Selection.Name, Filter: filter, Selectivity: -1}
	if filter != nil {
		n.Index, n.Zones = req.Selection.Index, req.Selection.Zones
	}
	n.Read = append(n.Read, req.Selection.Read...)
	for _, c := range cols {
		n.Read = append(n.Read, c)
		n.Out = append(n.Out, c.Col)
	}
	op, err := scan.NewScan(n, r.env)
	if err != nil {
		return nil, err
	}
	s := op.(*scan.ScanOp)
	s.Frags = frags
	return s, nil
}

// runScan drives a scan with all workers, and adds its counters to the search's.
func (r *Run) runScan(ctx context.Context, s *scan.ScanOp, fn op.EachFunc) error {
	return r.driveScan(ctx, s, func() error { return s.Each(ctx, fn) })
}

// driveScan runs what drives a scan, and adds its counters to the search's.
func (r *Run) driveScan(ctx context.Context, s *scan.ScanOp, drive func() error) error {
	defer s.Close()
	if err := s.Open(ctx); err != nil {
		return err
	}
	err := drive()
	r.Counters.AddWork(&s.Counters)
	return err
}

// rowPlace is a row by id and address.
type rowPlace struct{ id, addr uint64 }

// rowPlaceBytes is the memory of a rowPlace.
const rowPlaceBytes = 16

// scanRows are the rows of some fragments that pass a filter, in no order. rowPlaceBytes for each are reserved in the run's share, and
// are the caller's to release.
func (r *Run) scanRows(ctx context.Context, req *Request, frags []*lancefmt.Fragment, filter expr.Expr) ([]rowPlace, error) {
	s, err := r.scan(req, frags, filter, []plan.ScanCol{req.rowIDCol(), req.rowAddrCol()})
	if err != nil {
		return nil, err
	}
	found := make([][]rowPlace, r.env.NumWorkers())
	err = r.runScan(ctx, s, func(_ context.Context, worker int, _ op.Position, b arrow.RecordBatch) error {
		if err := r.Share.Reserve(rowPlaceBytes * b.NumRows()); err != nil {
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
