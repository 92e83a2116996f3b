package sqlplan

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec"

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
func (s *Stream) explain() (arrow.RecordBatch, error) {
	x := s.prepared.plan.Explain
	planned := plan.Describe(s.prepared.plan.Root, x.Verbose)
	kind := "plan"
	if x.Analyze {
		kind = "plan with metrics"
		if err := s.drain(); err != nil {
			return nil, err
		}
		if err := s.measure(&planned, s.root); err != nil {
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
	for _, sub := range s.prepared.plan.Subplans {
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
func (s *Stream) measure(d *plan.Description, op exec.Operator) error {
	said := map[string]bool{}
	for _, p := range d.Props {
		said[p.Value] = true
	}
	d.Props = append(d.Props, counters(op.Stats(), said)...)
	if x, ok := op.(exec.RecallEstimator); ok && s.prepared.plan.Explain.Verbose {
		recall, err := x.EstimateRecall(s.ctx)
		if err != nil {
			return err
		}
		d.Props = append(d.Props, plan.Prop{Key: "recall_estimate", Value: recall})
	}
	if len(d.Inputs) == len(op.Inputs()) {
		for i, in := range op.Inputs() {
			if err := s.measure(&d.Inputs[i], in); err != nil {
				return err
			}
		}
	}
	return nil
}

// counters are an operator's counters that counted something, and its remarks but for those that the
// plan has said already.
func counters(st *exec.OpStats, said map[string]bool) []plan.Prop {
	var props []plan.Prop
	add := func(key, value string) { props = append(props, plan.Prop{Key: key, Value: value}) }
	count := func(key string, c *exec.Counter) {
		if n := c.Load(); n != 0 {
			add(key, fmt.Sprint(n))
		}
	}
	add("rows", fmt.Sprint(st.Rows.Load()))
	add("batches", fmt.Sprint(st.Batches.Load()))
	add("time", duration(st.Nanos.Load()))
	if n := st.WorkerNanos.Load(); n != 0 {
		add("worker_time", duration(n))
	}
	count("bytes", &st.Bytes)
	count("rows_read", &st.RowsRead)
	count("bytes_read", &st.BytesRead)
	count("requests", &st.Requests)
	count("morsels", &st.Morsels)
	if n := st.PartitionsN.Load(); n != 0 {
		add("partitions_probed", fmt.Sprintf("%d of %d", st.Partitions.Load(), n))
	}
	if n := st.FragmentsN.Load(); n != 0 {
		add("fragments_by_index", fmt.Sprintf("%d of %d", st.IndexedFragments.Load(), n))
		add("index_rows", fmt.Sprint(st.IndexRows.Load()))
		count("rows_rechecked", &st.Rechecked)
		count("index_reads", &st.IndexReads)
		count("index_bytes", &st.IndexBytes)
		add("index_time", duration(st.IndexNanos.Load()))
	}
	if n := st.ZonesPruned.Load(); n != 0 {
		add("zones_pruned", fmt.Sprintf("%d of %d", n, st.Zones.Load()))
	}
	if n := st.Queries.Load(); n != 0 {
		add("queries", fmt.Sprintf("%d in %d batches", n, st.QueryBatches.Load()))
	}
	count("codes_scanned", &st.Codes)
	count("rows_refined", &st.Refined)
	count("peak_bytes", &st.PeakBytes)
	count("spill_bytes", &st.SpillBytes)
	notes := slices.DeleteFunc(st.Notes(), func(n string) bool { return said[n] })
	if len(notes) > 0 {
		add("notes", strings.Join(notes, "; "))
	}
	return props
}

func duration(nanos int64) string {
	return time.Duration(nanos).Round(time.Microsecond).String()
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
