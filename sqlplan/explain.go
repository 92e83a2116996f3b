package sqlplan

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/search"
	"lanceflight/sqlplan/plan"
)

// explainSchema is the result of EXPLAIN: a row for the plan, and one for each scalar subquery, which
// runs before it.
var explainSchema = arrow.NewSchema([]arrow.Field{
	{Name: "plan_type", Type: arrow.BinaryTypes.String},
	{Name: "plan", Type: arrow.BinaryTypes.String},
}, nil)

// explain makes the one batch of EXPLAIN; with ANALYZE the statement runs first, and its rows are
// dropped.
func (s *Stream) explain(x *plan.Explain) (arrow.RecordBatch, error) {
	if s.batches > 0 {
		return nil, io.EOF
	}
	planned := plan.DescribePlan(x.Statement, x.Verbose)
	kind := "plan"
	if x.Analyze {
		kind = "plan with metrics"
		if err := s.drain(); err != nil {
			return nil, err
		}
		if err := s.measure(&planned, s.root, x.Verbose); err != nil {
			return nil, err
		}
	}
	b := array.NewRecordBuilder(s.prepared.engine.opts.Mem, explainSchema)
	defer b.Release()
	row := func(kind string, d plan.Description) error {
		text := strings.TrimSuffix(d.Text(), "\n")
		if x.JSON {
			js, err := json.MarshalIndent(jsonPlan(d), "", "  ")
			if err != nil {
				return fault.New(fault.Internal, "write the plan: %w", err)
			}
			text = string(js)
		}
		b.Field(0).(*array.StringBuilder).Append(kind)
		b.Field(1).(*array.StringBuilder).Append(text)
		return nil
	}
	if err := row(kind, planned); err != nil {
		return nil, err
	}
	for _, sub := range x.Common().Subplans {
		if err := row(fmt.Sprintf("subquery $%d", sub.Slot+1), plan.Describe(sub.Root, x.Verbose)); err != nil {
			return nil, err
		}
	}
	return b.NewRecordBatch(), nil
}

// drain runs the statement to its end.
func (s *Stream) drain() error {
	for {
		rec, err := s.root.Next(s.ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		rec.Release()
	}
}

// measure adds what operators counted to their descriptions. The trees have the same shape: Build
// makes one operator of each node. A vector search is one operator shown as two, and the upper one
// gets the counters. With VERBOSE, what can tell its recall does.
func (s *Stream) measure(d *plan.Description, op op.Operator, verbose bool) error {
	said := map[string]bool{}
	for _, p := range d.Props {
		said[p.Value] = true
	}
	d.Props = append(d.Props, counters(op.Stats(), said)...)
	if x, ok := op.(search.RecallEstimator); ok && verbose {
		recall, err := x.EstimateRecall(s.ctx)
		if err != nil {
			return err
		}
		d.Props = append(d.Props, plan.Prop{Key: "recall_estimate", Value: recall})
	}
	if len(d.Inputs) == len(op.Inputs()) {
		for i, in := range op.Inputs() {
			if err := s.measure(&d.Inputs[i], in, verbose); err != nil {
				return err
			}
		}
	}
	return nil
}

// counters are an operator's counters that have something to show, and its remarks but for those that
// the plan has said already.
func counters(st *op.OpStats, said map[string]bool) []plan.Prop {
	var props []plan.Prop
	for _, r := range st.Readings() {
		props = append(props, plan.Prop{Key: r.Name, Value: r.Value})
	}
	notes := slices.DeleteFunc(st.Notes(), func(n string) bool { return said[n] })
	if len(notes) > 0 {
		props = append(props, plan.Prop{Key: "notes", Value: strings.Join(notes, "; ")})
	}
	return props
}

// jsonPlan is a description as EXPLAIN (FORMAT JSON) shows it.
func jsonPlan(d plan.Description) map[string]any {
	out := map[string]any{"operator": d.Op}
	for _, p := range d.Props {
		key := p.Key
		if key == "" {
			key = "what"
		}
		out[key] = p.Value
	}
	if len(d.Inputs) > 0 {
		inputs := make([]any, len(d.Inputs))
		for i, in := range d.Inputs {
			inputs[i] = jsonPlan(in)
		}
		out["inputs"] = inputs
	}
	return out
}
