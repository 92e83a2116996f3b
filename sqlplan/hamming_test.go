package sqlplan_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// Vectors of bytes are compared by the bits in which they differ: as pylance does, by index, by comparing, and by the function alone.
func TestHammingDistance(t *testing.T) {
	forEachFixture(t, func(x expected) bool { return x.Name == "vector_ivf_flat_uint8_hamming" }, func(t *testing.T, e *engine, x expected) {
		v := x.Vector[0]
		for _, c := range []struct{ sql, explain string }{
			{"SELECT key, hamming_distance(vec, $1, 'nprobes=1000') AS d FROM %q ORDER BY d LIMIT %d", "ANNSubIndex"},
			{"SELECT key, hamming_distance($1, vec, 'use_index=false') AS d FROM %q ORDER BY d LIMIT %d", "KNNVectorDistance"},
			{"SELECT key, d FROM (SELECT key, hamming_distance(vec, $1) AS d FROM %q WHERE vec IS NOT NULL) ORDER BY d, key LIMIT %d", ""},
			{"SELECT key, hamming_distance(vec, $1) AS d FROM %q WHERE key >= 0 AND hamming_distance(vec, $1) < 1000 ORDER BY d LIMIT %d",
				"range=_distance < 1000"},
		} {
			sql := fmt.Sprintf(c.sql, x.Name, v.K)
			p, err := e.Prepare(context.Background(), sqlplan.Session{}, sql, nil)
			require.NoError(t, err, sql)
			require.Contains(t, explainText(t, e, sqlplan.Session{}, sql), c.explain)
			for i, q := range v.Queries {
				var items []any
				for _, f := range queryVector(t, q.Vector) {
					items = append(items, uint64(f))
				}
				_, rows, err := run(t, p, expr.Literal{Value: items, T: p.Plan().Common().Params[0].Type})
				require.NoError(t, err, sql)
				require.Len(t, rows, v.K)
				for j, r := range rows {
					require.EqualValues(t, v.Exact["hamming"][i].Distances[j], r[1], "%s: neighbour %d", sql, j)
				}
			}
		}
		good := jsonOf(t, queryText(t, v, 0))
		sql := fmt.Sprintf("SELECT key FROM %q ORDER BY hamming_distance(vec, '%s', 'min_recall=0.8') LIMIT %d", x.Name, good, v.K)
		rows, err := texts(e, sql, sqlplan.Session{})
		require.NoError(t, err)
		require.Len(t, rows, v.K)
		require.Contains(t, explainText(t, e, sqlplan.Session{}, sql), "calibrated_recall=")
		recallEstimate(t, e, sql, sqlplan.Session{})
		for _, sql := range []string{
			"SELECT hamming_distance(vec, " + good + ") FROM %q", "SELECT hamming_distance('" + good + "', vec) FROM %q",
			"SELECT hamming_distance(vec, vec) FROM %q",
			"SELECT a.key FROM %[1]q a JOIN %[1]q b ON a.key = b.key AND hamming_distance(a.vec, b.vec) = 0",
		} {
			_, rows, err := e.rows(t, fmt.Sprintf(sql, x.Name), sqlplan.Session{})
			require.NoError(t, err, sql)
			require.NotEmpty(t, rows)
		}
		for sql, want := range map[string]string{
			"SELECT hamming_distance(key, key) FROM %q":           "hamming_distance",
			"SELECT hamming_distance(vec, [1, 2]) FROM %q":        "dimensions",
			"SELECT hamming_distance([1, 2], [1, 2]) FROM %q":     "UTINYINT",
			"SELECT hamming_distance(vec, '[0.5]') FROM %q":       "dimensions",
			"SELECT hamming_distance(vec, key) FROM %q":           "hamming_distance",
			"SELECT hamming_distance(vec) FROM %q":                "arguments",
			"SELECT hamming_distance(vec, vec, 'x=1') FROM %[1]q": "option",
		} {
			_, _, err := e.rows(t, fmt.Sprintf(sql, x.Name), sqlplan.Session{})
			require.True(t, fault.Is(err, fault.InvalidArgument), "%s: %v", sql, err)
			require.ErrorContains(t, err, want, sql)
		}
	})
}
