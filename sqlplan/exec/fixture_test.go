package exec

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// expected is what pylance says about a fixture, as far as the operators are concerned.
type expected struct {
	StableRowIDs bool `json:"stable_row_ids"`
	Versions     []struct {
		Version uint64
		Rows    int64
		Columns map[string]struct{ SHA256 string }
		Keys    struct {
			Count  int
			SHA256 string
		}
	}
	Filters []struct {
		Where  string
		Count  int
		SHA256 string
		Error  string
	}
	Vector []expectedVector
}

type expectedVector struct {
	Column, Key string
	K           int
	Queries     []struct{ Vector string }
	Exact       map[string][]expectedHits
	Filtered    []struct {
		Where, Metric string
		Results       []struct{ Exact []int64 }
	}
	ANN []struct {
		Settings struct {
			NProbes      int `json:"nprobes"`
			RefineFactor int `json:"refine_factor"`
			EF           int
			Where        string
			Prefilter    *bool
		}
		IndexMetric string  `json:"index_metric"`
		MeanRecall  float64 `json:"mean_recall"`
	}
}

type expectedHits struct {
	Keys      []int64
	Distances []float64
}

// query decodes one query vector.
func (v *expectedVector) query(t testing.TB, i int) []float32 {
	raw, err := base64.StdEncoding.DecodeString(v.Queries[i].Vector)
	require.NoError(t, err)
	out := make([]float32, len(raw)/4)
	for j := range out {
		out[j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:]))
	}
	return out
}

// openFixture opens the latest version of a fixture.
func openFixture(t testing.TB, name string) *lancefmt.Snapshot {
	t.Helper()
	return openTable(t, fixtures.Path(t, name+".lance"))
}

func openTable(t testing.TB, path string) *lancefmt.Snapshot {
	t.Helper()
	table, err := lancefmt.Open(context.Background(), path, lancefmt.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, table.Close()) })
	snap, err := table.Snapshot(context.Background(), lancefmt.Ref{})
	require.NoError(t, err)
	return snap
}

// planner makes plan nodes over one snapshot; the i-th column of the schema has id i+1, the system columns
// have ids from 1001 on.
type planner struct {
	t    testing.TB
	snap *lancefmt.Snapshot
}

func (p planner) column(name string) plan.ScanCol {
	for i, n := range []string{lancefmt.RowIDColumn, lancefmt.RowAddrColumn} {
		if n == name {
			return plan.ScanCol{Col: outCol(expr.ColID(1001+i), name, arrow.PrimitiveTypes.Uint64), Source: name}
		}
	}
	i := p.snap.Schema().FieldIndices(name)
	require.Len(p.t, i, 1, name)
	return plan.ScanCol{Col: outCol(expr.ColID(i[0]+1), name, p.snap.Schema().Field(i[0]).Type), Source: name}
}

// scan reads columns of the rows that satisfy a WHERE text; "" = all rows.
func (p planner) scan(where string, columns ...string) *plan.Scan {
	n := &plan.Scan{Selection: plan.Selection{Snap: p.snap, Name: "t", Selectivity: -1}, Limit: -1, EstimatedRows: -1}
	n.Filter, n.Read = p.filter(where)
	for _, name := range columns {
		c := p.column(name)
		n.Read = append(n.Read, c)
		n.Out = append(n.Out, c.Col)
	}
	return n
}

// filter binds a WHERE text, and returns the columns that it reads.
func (p planner) filter(where string) (expr.Expr, []plan.ScanCol) {
	if where == "" {
		return nil, nil
	}
	tree, err := parse.ParseExpr(where)
	require.NoError(p.t, err)
	b := binder{planner: p}
	e := b.bind(tree)
	return e, b.read
}

// binder turns the comparisons of the fixtures' filters into expressions. It is a test's own: the real
// binder lies above this package.
type binder struct {
	planner
	read []plan.ScanCol
}

func (b *binder) bind(e parse.Expr) expr.Expr {
	must := func(e expr.Expr, err error) expr.Expr {
		require.NoError(b.t, err)
		return e
	}
	switch e := e.(type) {
	case *parse.Column:
		require.Len(b.t, e.Parts, 1)
		c := b.column(e.Parts[0].Name)
		b.read = append(b.read, c)
		return &expr.Column{ID: c.ID, Name: c.Name, T: c.Type}
	case *parse.Number:
		l, err := expr.NewNumber(e.Text)
		return must(l, err)
	case *parse.String:
		return expr.NewLiteral(e.Value, arrow.BinaryTypes.String)
	case *parse.Bool:
		return expr.NewLiteral(e.Value, arrow.FixedWidthTypes.Boolean)
	case *parse.Unary:
		if e.Op == "NOT" {
			return must(expr.NewNot(b.bind(e.X)))
		}
	case *parse.Binary:
		x, y := b.bind(e.X), b.bind(e.Y)
		switch e.Op {
		case "AND":
			return must(expr.NewAnd(x, y))
		case "OR":
			return must(expr.NewOr(x, y))
		case "+", "-", "*", "/", "%":
			return must(expr.NewArith(e.Op, x, y))
		}
		return must(expr.NewCompare(e.Op, x, y))
	case *parse.IsNull:
		return expr.NewIsNull(b.bind(e.X), e.Not)
	case *parse.Between:
		return must(expr.NewBetween(b.bind(e.X), b.bind(e.Lo), b.bind(e.Hi), e.Not))
	case *parse.In:
		var list []expr.Expr
		for _, x := range e.List {
			list = append(list, b.bind(x))
		}
		return must(expr.NewIn(b.bind(e.X), list, e.Not))
	case *parse.Like:
		return must(expr.NewLike(e.Kind, b.bind(e.X), b.bind(e.Pattern), nil, e.Not))
	}
	require.FailNow(b.t, "the test binder does not know this", "%T", e)
	return nil
}

// laionFilters are filters that the test binder knows, answered by pylance for every LAION fixture.
var laionFilters = []string{
	`"NSFW" = 0 AND similarity > 0.3 AND width >= 512`, `"NSFW" = 0 AND similarity > 0.35 AND width >= 512`, `key = 5`,
	`key IN (0, 1, 2, 210, 211, 999999999)`, `key NOT IN (0, 1, 2) AND key < 20`, `key >= 100 AND key < 120`, `key BETWEEN 40 AND 45`,
	`key % 97 = 3`, `"NSFW" IS NULL`, `NOT ("NSFW" = 0)`, `"NSFW" = 1 OR similarity > 0.4`, `similarity IS NULL`,
	`width * height >= 3000000`, `caption IS NULL`, `caption = ''`, `caption LIKE '%cat%'`, `caption ILIKE 'THE %'`, `caption NOT LIKE '%a%'`,
	`status = 'success' AND error_message IS NULL AND key < 50`, `status <> 'success'`, `error_message LIKE 'HTTP Error 40_%'`,
	`image IS NULL`, `img_emb IS NULL`, `md5 >= 'f0'`, `key < 0`, `true AND key < 3`,
}

var laionFixtures = []string{"laion_v2_0", "laion_v2_1", "laion_v2_2", "laion_small_pages", "laion_stable_row_ids"}

// keysHash is the sha256 of keys as the fixtures have it.
func keysHash(rows [][]any) string {
	h := sha256.New()
	for _, r := range rows {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(r[0].(int64))))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// environments are ways to run a scan: one worker or several, small batches or large ones.
func environments(t testing.TB, check func(t testing.TB, env *op.Env)) {
	for _, workers := range []int{1, 4} {
		for _, batch := range []int64{500, 2 << 20} {
			env := &op.Env{Mem: newChecked(t), Budget: op.NewBudget(0), Workers: workers, BatchBytes: batch}
			check(t, env)
			require.Zero(t, env.Budget.Used(), fmt.Sprint(workers, batch))
		}
	}
}

// binds reports whether the snapshot has the columns of a WHERE text.
func (p planner) binds(where string) bool {
	tree, err := parse.ParseExpr(where)
	require.NoError(p.t, err)
	all := true
	parse.Walk(tree, func(n any) bool {
		if c, ok := n.(*parse.Column); ok {
			all = all && len(p.snap.Schema().FieldIndices(c.Parts[0].Name)) == 1
		}
		return true
	})
	return all
}
