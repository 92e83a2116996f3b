package exec

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/question"
)

// zonedFixture opens a fixture with tiny zones.
func zonedFixture(t testing.TB, name string, rows, cache int64) *lancefmt.Snapshot {
	t.Helper()
	table, err := lancefmt.Open(context.Background(), fixtures.Path(t, name+".lance"), lancefmt.Options{ZoneRows: rows, CacheBytes: cache})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, table.Close()) })
	snap, err := table.Snapshot(context.Background(), lancefmt.Ref{})
	require.NoError(t, err)
	return snap
}

// moreFilters are about what zones decide, and what they must not.
var moreFilters = []string{
	`key < 10`, `key >= 190`, `NOT (key < 190)`, `key = 17`, `key <> 17`, `key IN (3, 150)`, `key IS NULL`, `key IS NOT NULL`,
	`similarity > 0.45`, `similarity < 0.1 OR key = 3`, `NOT (similarity < 0.45 AND key >= 0)`, `caption >= 'z'`, `caption LIKE 'zz%'`,
	`similarity IS NOT NULL AND width > 100000`, `md5 < '05'`, `"NSFW" = 1 AND key > 100`,
}

// The answer of a filter is the same whether statistics are learnt or not, while they are learnt, once they are, and while
// they are forgotten again.
func TestScanZones(t *testing.T) {
	pruned := int64(0)
	for _, name := range append([]string{"many_small_fragments", "deletions_arrow_and_bitmap", "all_rows_deleted", "laion_history"},
		laionFixtures...) {
		for _, cache := range []int64{0, 64 << 10} {
			p := planner{t, zonedFixture(t, name, 16, cache)}
			for _, where := range append(append([]string{}, laionFilters...), moreFilters...) {
				if !p.binds(where) {
					continue
				}
				var want [][]any
				for round := range 3 { // without, learning, with
					for _, workers := range []int{1, 3} {
						n := p.scan(where, "key", lancefmt.RowAddrColumn)
						if round > 0 {
							n.Zones = question.NewZones(n.Filter, plan.QuestionColumns(n.Read))
						}
						op, err := Build(n, &op.Env{Mem: newChecked(t), Workers: workers})
						require.NoError(t, err)
						rows := drain(t, op)
						if round == 0 {
							want = rows
						}
						require.Equal(t, want, rows, "%s: %s", name, where)
						require.Equal(t, addresses(rows, 1), p.passing(n, workers), "%s: %s", name, where)
						if round == 2 {
							pruned += op.Stats().ZonesPruned.Load()
						}
					}
				}
			}
		}
	}
	require.Greater(t, pruned, int64(1000))
}

// addresses are the values of a column of row addresses, in order.
func addresses(rows [][]any, column int) (out []uint64) {
	for _, r := range rows {
		out = append(out, uint64(r[column].(int64)))
	}
	slices.Sort(out)
	return out
}

// passing are the addresses of the rows that a scan's filter leaves, where nothing else is asked of it.
func (p planner) passing(n *plan.Scan, workers int) (out []uint64) {
	op, err := scan.NewScan(n, &op.Env{Mem: newChecked(p.t), Workers: workers})
	require.NoError(p.t, err)
	s := op.(*scan.ScanOp)
	require.NoError(p.t, s.Open(context.Background()))
	rows, err := s.Passing(context.Background())
	require.NoError(p.t, err)
	require.NoError(p.t, s.Close())
	for f, b := range rows {
		for _, row := range b.ToArray() {
			out = append(out, uint64(f.ID())<<32|uint64(row))
		}
	}
	slices.Sort(out)
	return out
}

// Once a scan has seen a column, others read only the zones that matter, and count them.
func TestScanZonesReadLess(t *testing.T) {
	p := planner{t, zonedFixture(t, "laion_v2_2", 16, 0)}
	run := func(where string) (rows int, stats *op.OpStats) {
		n := p.scan(where, "key")
		n.Zones = question.NewZones(n.Filter, plan.QuestionColumns(n.Read))
		op, err := Build(n, &op.Env{Mem: newChecked(t), Workers: 2})
		require.NoError(t, err)
		return len(drain(t, op)), op.Stats()
	}
	all, first := run(`key >= 0`)
	require.Zero(t, first.ZonesPruned.Load())
	n, later := run(`key BETWEEN 40 AND 45`)
	require.Equal(t, 6, n)
	require.Greater(t, later.ZonesPruned.Load(), later.Zones.Load()/2)
	require.Less(t, later.RowsRead.Load(), int64(all)/2)
	n, none := run(`key < 0`)
	require.Zero(t, n)
	require.Equal(t, none.Zones.Load(), none.ZonesPruned.Load())
	require.Zero(t, none.BytesRead.Load())
}

// A consumer that wants few rows learns what it saw, and nothing wrong.
func TestScanZonesUnderLimit(t *testing.T) {
	p := planner{t, zonedFixture(t, "many_small_fragments", 4, 0)}
	for _, where := range []string{`key >= 7`, `key >= 3 AND key < 30`} {
		for range 2 {
			n := p.scan(where, "key")
			n.Zones, n.Limit = question.NewZones(n.Filter, plan.QuestionColumns(n.Read)), 3
			op, err := Build(n, &op.Env{Mem: newChecked(t), Workers: 2})
			require.NoError(t, err)
			require.Len(t, drain(t, op), 3)
		}
	}
	n := p.scan(`key >= 7`, "key")
	oper, err := Build(n, &op.Env{Mem: newChecked(t)})
	require.NoError(t, err)
	want := drain(t, oper)
	n.Zones = question.NewZones(n.Filter, plan.QuestionColumns(n.Read))
	oper, err = Build(n, &op.Env{Mem: newChecked(t)})
	require.NoError(t, err)
	require.Equal(t, want, drain(t, oper))
}
