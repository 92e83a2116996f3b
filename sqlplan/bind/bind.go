package bind

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
)

// Env is what binding needs besides the statement.
type Env struct {
	Catalog *catalog.Catalog
	Session settings.Session
	// Pins are versions to read instead of the current ones, by the names of plan.Shared.Pins; nil for a
	// statement that is planned for the first time.
	Pins plan.Pins
	// Bound is what is known of the values that are bound to the parameters, in their order; nil or short
	// where nothing is, as when a statement is prepared.
	Bound []Bound
	// Mem holds the batches of Records nodes; nil = memory.DefaultAllocator.
	Mem memory.Allocator
}

// Bind resolves names and types of a statement and returns its plan, which package rewrite then makes
// cheaper. Snapshots are pinned here: whatever is committed later, the plan reads the same rows. Errors
// point into the statement (fault.At) and wait for its text (fault.WithSQL).
//
// Parameters take their types from what surrounds them, and else from the values that are bound to
// them. That needs several passes where a pass decides the type of a parameter that stands elsewhere
// without one; params.go tells how.
func Bind(ctx context.Context, stmt parse.Statement, env Env) (plan.Plan, error) {
	if env.Mem == nil {
		env.Mem = memory.DefaultAllocator
	}
	snaps := map[string]*lancefmt.Snapshot{}
	var types []arrow.DataType
	for pass := 0; ; pass++ {
		search := env.Session.SearchOptions()
		b := &binder{
			ctx: ctx, env: env, snaps: snaps, pins: plan.Pins{}, hints: &search,
			paramTypes: types, paramPos: map[int]parse.Pos{},
			cols: map[expr.ColID]plan.Col{}, colPos: map[expr.ColID]parse.Pos{},
			search: map[expr.ColID]settings.SearchOptions{}, scalars: map[scalarAt]expr.Param{},
		}
		planned, err := b.statement(stmt)
		if err != nil {
			return nil, err
		}
		if _, ok := planned.(*plan.Set); ok {
			return planned, nil
		}
		common := planned.Common()
		common.Subplans, common.Pins, common.Sources = b.subplans, b.pins, b.sources
		_, isQuery := planned.(*plan.Query)
		common.Reusable = isQuery && !b.once
		next, settled, err := b.settleParams(planned)
		if err != nil {
			return nil, err
		}
		if !settled && pass < maxBindPasses {
			types = next
			continue
		}
		for _, t := range next {
			common.Params = append(common.Params, plan.ParamInfo{Type: t})
		}
		common.LastCol, common.Knobs = b.nextCol, b.search
		return placeSubplans(planned)
	}
}

// maxBindPasses bounds the passes that settle parameter types. Each of the rules in params.go may need one
// of its own, and what a rule decides for one parameter may decide another one.
const maxBindPasses = 8

// binder is the state of one pass over one statement.
type binder struct {
	ctx   context.Context
	env   Env
	snaps map[string]*lancefmt.Snapshot // by name in pins
	pins  plan.Pins
	// sources are snaps with what they were found by; once is set by what makes a plan good for one use.
	sources []plan.Source
	once    bool

	nextCol  expr.ColID
	params   int
	slots    int // handed out by newSlot
	subplans []plan.Subplan
	now      *expr.Param             // the time of the statement, once something has asked for it
	scalars  map[scalarAt]expr.Param // the values of scalar subqueries bound so far
	// paramTypes are the types the pass before found; nil or short where nothing is known.
	paramTypes []arrow.DataType
	paramPos   map[int]parse.Pos // where a parameter stands last, by slot
	undecided  bool              // a parameter has no type in this pass

	cols   map[expr.ColID]plan.Col  // every column made
	colPos map[expr.ColID]parse.Pos // where a column was last named, for messages
	// search are knobs given in the options string of a distance function, by the vector column.
	search map[expr.ColID]settings.SearchOptions
	// hints are the knobs of the query block being bound: session settings, then its hints.
	hints          *settings.SearchOptions
	ctes           *cteScope
	depth, inlined int
}

// subplanSlot is where provisional slots of subplans, and of columns that LATERAL queries see, begin: the
// number of parameters is known only at the end.
const subplanSlot = 1 << 24

func (b *binder) newSlot() int {
	b.slots++
	return subplanSlot + b.slots - 1
}

func (b *binder) newCol(name string, t arrow.DataType, nullable bool) plan.Col {
	b.nextCol++
	c := plan.Col{ID: b.nextCol, Name: name, Type: t, Nullable: nullable}
	b.cols[c.ID] = c
	return c
}

// statement binds any statement.
func (b *binder) statement(stmt parse.Statement) (plan.Plan, error) {
	switch s := stmt.(type) {
	case *parse.Query:
		rel, err := b.query(s, nil)
		if err != nil {
			return nil, err
		}
		return &plan.Query{Root: rel.node}, nil
	case *parse.Explain:
		switch s.Statement.(type) {
		case *parse.Query, *parse.Show, *parse.Describe:
		default:
			return nil, fault.At(fault.Unsupported, int(s.Pos), "EXPLAIN of a statement that is not a query")
		}
		planned, err := b.statement(s.Statement)
		if err != nil {
			return nil, err
		}
		return &plan.Explain{Statement: planned, Analyze: s.Analyze, Verbose: s.Verbose, JSON: s.JSON}, nil
	case *parse.Show:
		return b.show(s)
	case *parse.Describe:
		return b.describe(s)
	case *parse.Set:
		return b.set(s)
	case *parse.Use:
		return b.use(s)
	case *parse.Unsupported:
		return nil, fault.At(fault.Unsupported, int(s.Pos), "%s: %s", s.What, instead(s.What))
	}
	return nil, fault.New(fault.Internal, "statement %T has no binding", stmt)
}

// instead says what a user can do where a statement is not supported.
func instead(what string) string {
	switch what {
	case "BEGIN", "COMMIT", "ROLLBACK", "START TRANSACTION", "START", "END", "SAVEPOINT", "RELEASE", "ABORT":
		return "there are no transactions; each statement reads one snapshot of each table"
	}
	if what == "SUMMARIZE" {
		return "DESCRIBE lists the columns of a table, and count, min, max, avg tell of their values"
	}
	return "tables are read-only here; write them with Lance itself, and the next statement sees the new version"
}

// placeSubplans gives subplans their slots behind the parameters.
func placeSubplans(p plan.Plan) (plan.Plan, error) {
	params := len(p.Common().Params)
	place := func(slot int) int { return slot - subplanSlot + params }
	moved, err := p.MapRoots(func(root plan.Node) (plan.Node, error) {
		return plan.MapNodes(root, func(n plan.Node) plan.Node {
			if l, ok := n.(*plan.LateralJoin); ok {
				n = l.Placed(place)
			}
			return plan.MapExprs(n, func(e expr.Expr) expr.Expr {
				return expr.Rewrite(e, func(x expr.Expr) expr.Expr {
					if q, ok := x.(*expr.Param); ok && q.Slot >= subplanSlot {
						return &expr.Param{Slot: place(q.Slot), T: q.T, Name: q.Name}
					}
					return x
				})
			})
		}), nil
	})
	if err != nil {
		return nil, err
	}
	subplans := moved.Common().Subplans
	for i := range subplans {
		subplans[i].Slot = place(subplans[i].Slot)
	}
	return moved, nil
}

// unsupported makes the error for a clause that is legal and not done here.
func unsupported(pos parse.Pos, format string, args ...any) error {
	return fault.At(fault.Unsupported, int(pos), "%s", fmt.Sprintf(format, args...))
}

// invalid makes the error for a clause that is wrong.
func invalid(pos parse.Pos, format string, args ...any) error {
	return fault.At(fault.InvalidArgument, int(pos), "%s", fmt.Sprintf(format, args...))
}
