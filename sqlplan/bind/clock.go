package bind

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
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
