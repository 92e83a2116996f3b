package sqlplan_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is an Engine over fixtures, whose Arrow memory must all come back.
type engine struct {
	*sqlplan.Engine
	cat *catalog.Catalog
	mem *memory.CheckedAllocator
}

// newEngine serves fixtures under other names.
func newEngine(t *testing.T, tables map[string]string) *engine {
	t.Helper()
	dir := t.TempDir()
	for name, fixture := range tables {
		require.NoError(t, os.Symlink(fixtures.Path(t, fixture+".lance"), filepath.Join(dir, name+".lance")))
	}
	return newEngineOver(t, dir, sqlplan.Options{})
}

func newEngineOver(t *testing.T, dir string, o sqlplan.Options) *engine {
	t.Helper()
	cat, err := catalog.Open(context.Background(), []string{dir}, catalog.Options{})
	require.NoError(t, err)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	o.Mem, o.Version = mem, "test"
	e := sqlplan.NewEngine(cat, o)
	t.Cleanup(func() {
		require.NoError(t, cat.Close())
		mem.AssertSize(t, 0)
	})
	return &engine{Engine: e, cat: cat, mem: mem}
}

// leftOut says whether case i of many like ones is left out under -short, which is how the race detector
// runs: these cases differ in values, and not in what runs side by side.
func leftOut(i, step int) bool { return testing.Short() && i%step != 0 }

// rows runs a statement and returns its schema and rows in the form of plainValue.
func (e *engine) rows(t *testing.T, sql string, s sqlplan.Session, params ...expr.Literal) (*arrow.Schema, [][]any, error) {
	t.Helper()
	ctx := context.Background()
	p, err := e.Prepare(ctx, s, sql, nil)
	if err != nil {
		return nil, nil, err
	}
	return run(t, p, params...)
}

// run executes a prepared statement.
func run(t *testing.T, p *sqlplan.Prepared, params ...expr.Literal) (*arrow.Schema, [][]any, error) {
	t.Helper()
	ctx := context.Background()
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{Params: params})
	if err != nil {
		return nil, nil, err
	}
	defer func() { require.NoError(t, stream.Close()) }()
	rows := [][]any{}
	for {
		rec, err := stream.Next(ctx)
		if err == io.EOF {
			return stream.Schema(), rows, nil
		}
		if err != nil {
			return nil, nil, err
		}
		require.True(t, rec.Schema().Equal(p.Schema()), "batch %s\nprepared %s", rec.Schema(), p.Schema())
		for i := range int(rec.NumRows()) {
			row := make([]any, rec.NumCols())
			for c := range row {
				row[c] = plainValue(rec.Column(c), i)
			}
			rows = append(rows, row)
		}
		rec.Release()
	}
}

// linkAll makes tables of one folder appear in another.
func linkAll(dir, from string, names ...string) error {
	from, err := filepath.Abs(from)
	for _, name := range names {
		if err == nil {
			err = os.Symlink(filepath.Join(from, name+".lance"), filepath.Join(dir, name+".lance"))
		}
	}
	return err
}
