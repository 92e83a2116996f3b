package sqlplan_test

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// Parameters of the statement are seen beside those that stand for columns, also in subqueries that run for each row.
func TestLateralWithParameters(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	p, err := e.Prepare(context.Background(), sqlplan.Session{}, `SELECT q.k, u.key FROM (VALUES ($1::BIGINT), ($2)) q(k)
		CROSS JOIN LATERAL (SELECT key FROM train WHERE key > (SELECT min(key) + $3 FROM train WHERE key >= q.k) ORDER BY key LIMIT $4) u
		ORDER BY 1, 2`, nil)
	require.NoError(t, err)
	for _, bias := range []int64{0, 5} {
		params := make([]expr.Literal, 4)
		for i, v := range []int64{10, 100, bias, 2} {
			params[i] = expr.Literal{Value: v, T: arrow.PrimitiveTypes.Int64}
		}
		_, rows, err := run(t, p, params...)
		require.NoError(t, err)
		want := [][]any{}
		for _, k := range []float64{10, 100} {
			want = append(want, []any{k, k + float64(bias) + 1}, []any{k, k + float64(bias) + 2})
		}
		require.Equal(t, want, rows)
	}
}

// The counters of all runs of the right side are summed.
func TestLateralExplainAnalyze(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	_, rows, err := e.rows(t, `EXPLAIN ANALYZE SELECT q.k, u.key FROM (VALUES (1), (2), (3)) q(k)
		LEFT JOIN LATERAL (SELECT key FROM train WHERE width > q.k ORDER BY similarity LIMIT 4) u ON TRUE`, sqlplan.Session{})
	require.NoError(t, err)
	require.Regexp(t, `LateralJoin: LEFT, reads=\[.*\], .*rows=12`, rows[0][1])
	require.Regexp(t, `TopK: .*rows=12`, rows[0][1])
}

// What the rows of the right side take is counted against the statement's limit.
func TestLateralMemoryLimit(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	_, _, err := e.rows(t,
		`SELECT count(u.image) FROM (VALUES (1), (2)) q(k)
			CROSS JOIN LATERAL (SELECT key + q.k AS k, image FROM train ORDER BY url LIMIT 1500) u`,
		sqlplan.Session{Settings: map[string]string{"lance.memory_limit": "1048576"}})
	require.Equal(t, fault.ResourceExhausted, fault.KindOf(err), "%v", err)
}

func TestLateralIsCancelled(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	p, err := e.Prepare(context.Background(), sqlplan.Session{},
		`SELECT u.key FROM train q CROSS JOIN LATERAL (SELECT key FROM train WHERE key > q.key ORDER BY width, key LIMIT 1) u`, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{})
	require.NoError(t, err)
	cancel()
	_, err = stream.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, stream.Close())
}
