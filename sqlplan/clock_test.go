package sqlplan_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// TestOneTimePerStatement asks for the time in every place that is evaluated on its own: operators,
// subqueries, WITH, the right side of LATERAL, the sides of joins and of set operations.
func TestOneTimePerStatement(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	for _, sql := range []string{
		"SELECT count(DISTINCT x) FROM (SELECT now() AS x FROM train UNION ALL SELECT current_timestamp FROM train " +
			"UNION ALL VALUES (transaction_timestamp()), (statement_timestamp())) q",
		"SELECT count(DISTINCT x) FROM (SELECT now() AS x UNION SELECT (SELECT now())) q",
		"WITH w AS (SELECT now() AS x) SELECT count(*) FROM w a JOIN w b ON a.x = b.x WHERE a.x = now() AND b.x = (SELECT max(x) FROM w)",
		"SELECT count(DISTINCT n.x) FROM train t CROSS JOIN LATERAL (SELECT now() AS x, u.key FROM train u WHERE u.key > t.key LIMIT 1) n",
		"SELECT count(DISTINCT n.x) FROM (SELECT key, img_emb FROM train WHERE key < 5) t CROSS JOIN LATERAL (" +
			"SELECT now() AS x FROM train u ORDER BY u.img_emb <-> t.img_emb LIMIT 2) n",
		"SELECT count(DISTINCT now()) FROM train WHERE now() = localtimestamp AT TIME ZONE 'UTC' AND now()::date = current_date " +
			"AND now()::time = current_time AND localtime = current_time",
		"SELECT count(*) FROM (SELECT max(now()) AS m FROM train GROUP BY now() HAVING min(now()) = now() ORDER BY now()) q WHERE m = now()",
	} {
		_, rows, err := e.rows(t, sql, sqlplan.Session{})
		require.NoError(t, err, sql)
		require.Equal(t, [][]any{{1.0}}, rows, sql)
	}
}

// TestEachExecutionHasItsTime executes one prepared statement twice, and prepares one twice, which takes
// the plan that was kept.
func TestEachExecutionHasItsTime(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	ctx := context.Background()
	var seen []any
	for range 2 {
		p, err := e.Prepare(ctx, sqlplan.Session{},
			"SELECT now(), (SELECT localtimestamp) FROM train WHERE now() > TIMESTAMPTZ '2020-01-01' LIMIT 1", nil)
		require.NoError(t, err)
		for range 2 {
			before := time.Now().UTC().Truncate(time.Microsecond)
			_, rows, err := run(t, p)
			require.NoError(t, err)
			after := time.Now().UTC()
			require.Len(t, rows, 1)
			require.Equal(t, rows[0][0], rows[0][1])
			at, err := time.Parse("2006-01-02 15:04:05.999999", rows[0][0].(string))
			require.NoError(t, err)
			require.False(t, at.Before(before) || at.After(after), "%s is not between %s and %s", at, before, after)
			for _, other := range seen {
				require.NotEqual(t, other, rows[0][0])
			}
			seen = append(seen, rows[0][0])
			for !time.Now().Truncate(time.Microsecond).After(at) { // a clock may be coarse
				time.Sleep(time.Microsecond)
			}
		}
	}
}
