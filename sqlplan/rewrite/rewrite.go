package rewrite

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
)

// Env is what the rewrites need besides the plan.
type Env struct {
	Session settings.Session
	// Indexes tells what is in indices. nil = vector searches are exact, and estimates are guesses.
	Indexes *indexes.Cache
}

// A rewriter is the state of the rewrites of one plan.
type rewriter struct {
	ctx context.Context
	env Env
	// explain says that the statement is EXPLAIN, which may ask indices more than one that will run.
	explain bool
	knobs   map[expr.ColID]settings.SearchOptions // as of plan.Shared
	nextCol expr.ColID
}

// A pass turns the plan below one root into an equivalent one that is cheaper to run.
type pass struct {
	name  string // of the file that has it
	what  string // what it does, in words
	apply func(*rewriter, plan.Node) (plan.Node, error)
}

// passes run in this order over every root of a plan. Each is in a file of its name.
var passes = []pass{
	{"fold_constants", "WHERE 1 = 0 reads nothing", always(foldConstants)},
	{"flatten_lateral", "LATERAL becomes a projection or a plain join", always(flattenLaterals)},
	{"push_filter", "WHERE moves into the scan, through projections, sorts, unions, groups", always(pushFilters)},
	{"push_limit", "LIMIT moves below projections, into scans", always(pushLimits)},
	{"search_vectors", "ORDER BY distance LIMIT k becomes a vector search", (*rewriter).searchVectors},
	{"limit_to_topk", "ORDER BY … LIMIT k keeps k rows, and reads wide columns for those only", planned((*rewriter).limitToTopK)},
	{"prune_columns", "nothing is read that nothing uses", always(pruneColumns)},
	{"partial_columns", "lengths and NULLs are read without the values", planned((*rewriter).readPartsOfColumns)},
	{"partial_filters", "the same for columns that only a filter reads", planned((*rewriter).filterPartsOfColumns)},
	{"count_metadata", "count(*) of a table is known without reading", always(countFromMetadata)},
	{"order_conjuncts", "cheap conditions are tried before dear ones", always(orderConjuncts)},
	{"calibrate_search", "EXPLAIN shows what min_recall comes to", (*rewriter).calibrateSearches},
	{"use_indexes", "scalar indices are asked what they know of a filter", (*rewriter).useScalarIndexes},
	{"use_zones", "what earlier scans learnt of a filter's columns is asked", planned((*rewriter).useZones)},
	{"choose_build_side", "the smaller input of a join is kept in memory", always(chooseBuildSides)},
}

// always and planned give rewrites that cannot fail the shape of a pass.
func always(f func(plan.Node) plan.Node) func(*rewriter, plan.Node) (plan.Node, error) {
	return func(_ *rewriter, n plan.Node) (plan.Node, error) { return f(n), nil }
}

func planned(f func(*rewriter, plan.Node) plan.Node) func(*rewriter, plan.Node) (plan.Node, error) {
	return func(r *rewriter, n plan.Node) (plan.Node, error) { return f(r, n), nil }
}

// Passes lists the rewrites in the order in which they run, each with what it does.
func Passes() (list [][2]string) {
	for _, p := range passes {
		list = append(list, [2]string{p.name, p.what})
	}
	return list
}

// Rewrite runs the passes over every root of a bound plan, and returns a plan of the same rows. p is
// not changed. Errors are those of ctx, or of indices that the statement insists on.
func Rewrite(ctx context.Context, p plan.Plan, env Env) (plan.Plan, error) {
	common := p.Common()
	_, explain := p.(*plan.Explain)
	r := &rewriter{ctx: ctx, env: env, explain: explain, knobs: common.Knobs, nextCol: common.LastCol}
	out, err := p.MapRoots(r.root)
	if err != nil {
		return nil, err
	}
	out.Common().LastCol = r.nextCol
	if q, ok := out.(*plan.Query); ok {
		q.Distances = accuracies(p.(*plan.Query), q)
	}
	return out, nil
}

// accuracies says which columns of a query are distances, as it was bound, and which of those are made of
// estimates, as it was rewritten.
func accuracies(bound, rewritten *plan.Query) []plan.Accuracy {
	estimated := plan.EstimatedColumns(rewritten)
	out := make([]plan.Accuracy, len(estimated))
	for i, isDistance := range plan.DistanceColumns(bound) {
		switch {
		case !isDistance:
		case estimated[i]:
			out[i] = plan.Estimate
		default:
			out[i] = plan.Exact
		}
	}
	return out
}

func (r *rewriter) root(n plan.Node) (_ plan.Node, err error) {
	for _, p := range passes {
		if n, err = p.apply(r, n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (r *rewriter) newCol(name string, t arrow.DataType, nullable bool) plan.Col {
	r.nextCol++
	return plan.Col{ID: r.nextCol, Name: name, Type: t, Nullable: nullable}
}
