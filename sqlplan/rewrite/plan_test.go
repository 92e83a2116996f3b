package rewrite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan/bind"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/exec/search"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/rewrite"
	"lanceflight/sqlplan/settings"
)

// planner binds statements over fixtures, train being the LAION-shaped one with every kind of index.
type planner struct {
	cat     *catalog.Catalog
	indexes *indexes.Cache
	session map[string]string
}

func newPlanner(t *testing.T) *planner {
	t.Helper()
	dir := t.TempDir()
	for name, fixture := range map[string]string{
		"train": "laion_v2_2", "history": "laion_history", "tagged": "tags", "types": "types_v2_2",
		"l2": "vector_ivf_pq_l2", "cosine": "vector_ivf_flat_cosine", "dot": "vector_ivf_flat_dot", "half": "vector_ivf_pq_float16",
		"segments": "vector_ivf_pq_delta_segments",
	} {
		require.NoError(t, os.Symlink(fixtures.Path(t, fixture+".lance"), filepath.Join(dir, name+".lance")))
	}
	cat, err := catalog.Open(context.Background(), []string{dir}, catalog.Options{})
	require.NoError(t, err)
	cache := indexes.New(indexes.Options{Bytes: 64 << 20, Measure: search.Measure})
	t.Cleanup(func() { require.NoError(t, cat.Close()) })
	return &planner{cat: cat, indexes: cache, session: map[string]string{}}
}

func (p *planner) bind(sql string, pins plan.Pins) (plan.Plan, error) {
	stmt, err := parse.Parse(sql)
	if err != nil {
		return nil, fault.WithSQL(err, sql)
	}
	session := settings.Session{Values: p.session, Version: "test", User: "ann"}
	planned, err := bind.Bind(context.Background(), stmt, bind.Env{Catalog: p.cat, Pins: pins, Session: session})
	if err == nil {
		planned, err = rewrite.Rewrite(context.Background(), planned, rewrite.Env{Session: session, Indexes: p.indexes})
	}
	return planned, fault.WithSQL(err, sql)
}

// text shows a plan, its parameters and its subplans.
func text(planned plan.Plan, verbose bool) string {
	var b strings.Builder
	if set, ok := planned.(*plan.Set); ok {
		for _, s := range settings.All() {
			if v, ok := set.Changes[s.Name]; ok && v != nil {
				fmt.Fprintf(&b, "set %s = %q\n", s.Name, *v)
			} else if ok {
				fmt.Fprintf(&b, "reset %s\n", s.Name)
			}
		}
		return b.String()
	}
	b.WriteString(plan.DescribePlan(planned, verbose).Text())
	for i, p := range planned.Common().Params {
		fmt.Fprintf(&b, "$%d: %s\n", i+1, expr.TypeName(p.Type))
	}
	for _, s := range planned.Common().Subplans {
		fmt.Fprintf(&b, "$%d = %s of\n%s", s.Slot+1, expr.TypeName(s.Type), plan.Describe(s.Root, verbose).Text())
	}
	return b.String()
}

// columns shows the result's columns: name, type, table, and whether NULLs are possible.
func columns(planned plan.Plan) string {
	var b strings.Builder
	for _, c := range planned.(*plan.Query).Root.Columns() {
		fmt.Fprintf(&b, "%s %s", c.Name, expr.TypeName(c.Type))
		if !c.Nullable {
			b.WriteString(" NOT NULL")
		}
		if c.Table != "" {
			fmt.Fprintf(&b, " (%s.%s)", c.Table, c.Source)
		}
		b.WriteByte('\n')
	}
	for i, p := range planned.Common().Params {
		fmt.Fprintf(&b, "$%d: %s\n", i+1, expr.TypeName(p.Type))
	}
	return b.String()
}

// Each file of testdata holds statements and what becomes of them:
//
//	plan [set=(name,value)]     the rewritten plan
//	columns                     the result's columns and the parameters
//
// A statement that is refused shows its error, as users see it.
func TestPlans(t *testing.T) {
	for _, dir := range []string{"testdata/rewrite", "testdata/bind"} {
		datadriven.Walk(t, dir, func(t *testing.T, path string) {
			p := newPlanner(t)
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				clear(p.session)
				for _, a := range d.CmdArgs {
					if a.Key == "set" {
						v, err := settings.Check(a.Vals[0], a.Vals[1])
						require.NoError(t, err)
						p.session[a.Vals[0]] = v
					}
				}
				plan, err := p.bind(d.Input, nil)
				if err != nil {
					kind := ""
					var e *fault.Error
					if errors.As(err, &e) && e.Kind != fault.InvalidArgument {
						kind = map[fault.Kind]string{fault.NotFound: "(not found) ", fault.Unsupported: "",
							fault.ResourceExhausted: "(resource exhausted) "}[e.Kind]
					}
					return "error: " + kind + err.Error() + "\n"
				}
				switch d.Cmd {
				case "plan":
					return text(plan, false)
				case "columns":
					return columns(plan)
				}
				d.Fatalf(t, "no command %s", d.Cmd)
				return ""
			})
		})
	}
}
