package sqlplan_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/exec"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
)

// FuzzPrepare plans any text: it ends in a plan that can be built, or in an error that is not a bug's.
func FuzzPrepare(f *testing.F) {
	dir := f.TempDir()
	for name, fixture := range map[string]string{"train": "laion_v2_2", "history": "laion_history", "types": "types_v2_2",
		"l2": "vector_ivf_pq_l2", "deleted": "deletions_arrow_and_bitmap"} {
		if err := os.Symlink(fixtures.Path(f, fixture+".lance"), filepath.Join(dir, name+".lance")); err != nil {
			f.Fatal(err)
		}
	}
	cat, err := catalog.Open(context.Background(), []string{dir}, catalog.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { cat.Close() })
	e := sqlplan.NewEngine(cat, sqlplan.Options{})

	files, _ := filepath.Glob("testdata/logic/*.json")
	for _, file := range files {
		var answers []answer
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if err := json.Unmarshal(data, &answers); err != nil {
			f.Fatal(err)
		}
		for _, a := range answers {
			f.Add(a.SQL)
		}
	}
	plans, _ := filepath.Glob("rewrite/testdata/*/*")
	if len(plans) == 0 {
		f.Fatal("there are no plans in rewrite/testdata to begin with")
	}
	for _, file := range plans {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(data), "\n\n") {
			if _, rest, ok := strings.Cut(block, "plan\n"); ok {
				sql, _, _ := strings.Cut(rest, "\n----")
				f.Add(sql)
			}
		}
	}
	f.Fuzz(func(t *testing.T, sql string) {
		p, err := e.Prepare(context.Background(), sqlplan.Session{}, sql, nil)
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatalf("%q: %v", sql, err)
			}
			return
		}
		p.Schema()
		p.ParamSchema()
		for _, sub := range p.Plan().Common().Subplans {
			if _, err := exec.Build(sub.Root, &op.Env{}); err != nil && fault.Is(err, fault.Internal) {
				t.Fatalf("%q: build subplan: %v", sql, err)
			}
		}
		planned := p.Plan()
		if x, ok := planned.(*plan.Explain); ok {
			planned = x.Statement
		}
		q, ok := planned.(*plan.Query)
		if !ok {
			return
		}
		if _, err := exec.Build(q.Root, &op.Env{}); err != nil && fault.Is(err, fault.Internal) {
			t.Fatalf("%q: build: %v", sql, err)
		}
	})
}
