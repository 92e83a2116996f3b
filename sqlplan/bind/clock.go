package bind

import (
	"slices"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// clock binds now() and its kin. All of them in a statement show one time, which is read once when an
// execution begins: it is the value of a subplan, so every operator, worker and row sees the same, a
// prepared statement gets a new one each time it is executed, and a plan that is kept has none in it.
func (b *binder) clock(name string, args []expr.Expr) (expr.Expr, error) {
	x, err := expr.NewCall(name, args)
	if err != nil {
		return nil, err
	}
	if b.now == nil {
		out := b.newCol("now()", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, false)
		root := &plan.Records{Name: "now()", Out: []plan.Col{out}}
		schema := arrow.NewSchema([]arrow.Field{{Name: out.Name, Type: out.Type}}, nil)
		mem := b.env.Mem
		root.Make = func() (arrow.RecordBatch, error) {
			return buildRecords(mem, schema, [][]any{{time.Now()}})
		}
		b.now = &expr.Param{Slot: b.newSlot(), T: out.Type, Name: "now()"}
		b.subplans = append(b.subplans, plan.Subplan{Slot: b.now.Slot, Root: root, Type: out.Type})
	}
	if arrow.TypeEqual(x.Type(), b.now.T) {
		return b.now, nil
	}
	return expr.NewCast(b.now, x.Type(), false)
}

// clockTo is clock with the number of digits of a second that current_timestamp(3) and its kin take.
func (b *binder) clockTo(name string, args []expr.Expr, e *parse.Call) (expr.Expr, error) {
	if len(args) != 1 {
		return b.clock(name, args)
	}
	n, ok := e.Args[0].Expr.(*parse.Number)
	if !ok || !slices.Contains([]string{"current_timestamp", "localtimestamp", "current_time", "localtime"}, name) {
		return b.clock(name, args) // says that it takes no argument
	}
	p, err := strconv.Atoi(n.Text)
	if err != nil || p > 6 {
		return nil, invalid(n.Pos, "%s takes a number of digits from 0 to 6, got %s", e.Name, n.Text)
	}
	x, err := b.clock(name, nil)
	if err != nil {
		return nil, err
	}
	return precise(x, x.Type(), p, false)
}

// precisionOf is the p of TIMESTAMP(p) and TIME(p).
func precisionOf(name string, args, dims []int) (int, bool) {
	switch name {
	case "TIMESTAMP", "TIMESTAMPTZ", "TIME":
		return append(args, 0)[0], len(args) == 1 && len(dims) == 0
	}
	return 0, false
}

// precise casts to TIMESTAMP(p) or TIME(p), of type t, and rounds to p digits of a second. It rounds
// once, so it goes by a type that holds what x holds.
func precise(x expr.Expr, t arrow.DataType, p int, try bool) (expr.Expr, error) {
	full, most := t, 6
	if ts, ok := t.(*arrow.TimestampType); ok {
		unit := max(ts.Unit, arrow.Microsecond)
		if from, ok := x.Type().(*arrow.TimestampType); ok {
			unit = max(unit, from.Unit)
		}
		if unit == arrow.Nanosecond {
			most = 9
		}
		full = &arrow.TimestampType{Unit: unit, TimeZone: ts.TimeZone}
	}
	var err error
	if q, ok := x.(*expr.Param); ok && q.T.ID() == arrow.NULL {
		x = expr.WithParamType(q, full)
	} else if x, err = expr.NewCast(x, full, try); err != nil {
		return nil, err
	}
	if p < most {
		digits := expr.NewLiteral(int64(p), arrow.PrimitiveTypes.Int64)
		if x, err = expr.NewCall("$round_time", []expr.Expr{x, digits}); err != nil {
			return nil, err
		}
	}
	return expr.NewCast(x, t, try)
}
