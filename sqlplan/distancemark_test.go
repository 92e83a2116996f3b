package sqlplan_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// distanceMark is the accuracy that a result's schema states of each of its columns, "-" for those that are no distances.
func distanceMarks(t *testing.T, e *engine, sql string, s sqlplan.Session) string {
	t.Helper()
	schema, rows, err := e.rows(t, sql, s)
	require.NoError(t, err, sql)
	require.NotEmpty(t, rows, sql)
	var marks []string
	for _, f := range schema.Fields() {
		mark, ok := f.Metadata.GetValue("lance:distance")
		if !ok {
			mark = "-"
		}
		marks = append(marks, mark)
	}
	return strings.Join(marks, " ")
}

// A column of distances says in its metadata whether they are exact or may be estimates, and says what EXPLAIN says. Estimates are told
// from exact distances by what they are: equal to those of an exact search or not.
func TestDistanceMarks(t *testing.T) {
	e := newEngineOver(t, filepath.Dir(fixtures.Path(t, "laion_v2_2.lance")), sqlplan.Options{})
	refined := sqlplan.Session{}
	raw := sqlplan.Session{Settings: map[string]string{"lance.refine_factor": "0", "lance.nprobes": "1000"}}
	const q = "(SELECT vec FROM vector_ivf_pq_l2 WHERE vec IS NOT NULL ORDER BY key LIMIT 1)"
	search := "SELECT key, vec <-> " + q + " AS d FROM vector_ivf_pq_l2 ORDER BY d LIMIT 5"
	for _, c := range []struct {
		sql  string
		s    sqlplan.Session
		want string
	}{
		// How the search is done.
		{search, refined, "- exact"},
		{search, raw, "- estimate"},
		{strings.Replace(search, "SELECT", "SELECT /*+ refine_factor(0) */", 1), refined, "- estimate"},
		{strings.Replace(search, "SELECT", "SELECT /*+ use_index(false) */", 1), raw, "- exact"},
		{strings.Replace(search, "SELECT", "SELECT /*+ min_recall(1) */", 1), raw, "- exact"},
		{strings.Replace(search, "SELECT", "SELECT /*+ min_recall(0.5) */", 1), raw, "- exact"},
		{strings.Replace(search, " LIMIT 5", "", 1), raw, "- exact"},
		{strings.Replace(search, "d LIMIT", "d DESC LIMIT", 1), raw, "- exact"},
		{strings.Replace(search, "ivf_pq", "ivf_flat", 2), raw, "- exact"},
		{strings.Replace(search, "ivf_pq", "ivf_sq", 2), raw, "- estimate"},
		{strings.Replace(search, "ivf_pq", "ivf_rq", 2), raw, "- estimate"},
		{strings.Replace(search, "ivf_pq", "ivf_hnsw_pq", 2), raw, "- estimate"},
		{strings.Replace(search, "ivf_pq", "ivf_hnsw_flat", 2), raw, "- exact"},
		{strings.Replace(search, "<->", "<=>", 1), raw, "- exact"}, // the index is for another metric
		{"SELECT key, inner_product(vec, (SELECT vec FROM vector_ivf_pq_dot WHERE key = 7)) AS s " +
			"FROM vector_ivf_pq_dot ORDER BY s DESC LIMIT 5", raw, "- estimate"},

		// Rows without an index are compared, and the others with them: all are exact. Unless they are skipped.
		{strings.ReplaceAll(search, "pq_l2", "pq_unindexed_and_deleted"), raw, "- exact"},
		{strings.ReplaceAll(search, "pq_l2", "pq_unindexed_and_deleted"), withSetting(raw, "lance.fast_search", "true"), "- estimate"},
		{strings.ReplaceAll(search, "pq_l2", "pq_delta_segments"), raw, "- exact"},
		{strings.ReplaceAll(search, "pq_l2", "pq_delta_segments"), withSetting(raw, "lance.fast_search", "true"), "- estimate"},

		// What becomes of the distance.
		{"SELECT vec <-> " + q + " FROM vector_ivf_pq_l2 ORDER BY 1 LIMIT 2", raw, "estimate"},
		{"SELECT d AS e, key, 1 - d AS s, -d, sqrt(d), round(d, 2), CAST(d AS DOUBLE), coalesce(d, 9), CASE WHEN d < 1 THEN d ELSE 1 END, " +
			"d < 1, d::TEXT, d + key, key + 0.5, 1.5 FROM (" + search + ") x", raw,
			"estimate - estimate estimate estimate estimate estimate estimate estimate - - - - -"},
		{"SELECT d AS e, 1 - d AS s, round(d, 2), d < 1, d + key FROM (" + search + ") x", refined, "exact exact exact - -"},
		{"WITH near AS (" + search + ") SELECT n.d, m.d, n.d - m.d AS e, n.key FROM near n JOIN near m ON n.key = m.key ORDER BY n.d DESC",
			raw, "estimate estimate estimate -"},
		{"SELECT n.d, m.key FROM (" + search + ") n RIGHT JOIN vector_ivf_pq_l2 m ON n.key = m.key LIMIT 3", raw, "estimate -"},
		{"SELECT min(d), avg(d), count(d), max(key) FROM (" + search + ") x", raw, "estimate estimate - -"},
		{"SELECT DISTINCT d FROM (" + search + ") x GROUP BY d", raw, "estimate"},
		{"(" + search + ") UNION ALL SELECT key, vec <-> " + q + " FROM vector_ivf_pq_l2 WHERE key < 3", raw, "- estimate"},
		{"(" + search + ") UNION ALL SELECT key, 0.5::FLOAT FROM vector_ivf_pq_l2 WHERE key < 3", raw, "- -"},
		{"SELECT (SELECT min(d) FROM (" + search + ") x) AS nearest, 1 AS one", raw, "estimate -"},
		{"SELECT (SELECT min(d) FROM (" + search + ") x) AS nearest, 1 AS one", refined, "exact -"},
		{"SELECT key, vec <-> " + q + " AS d, vec <=> " + q + " AS c FROM vector_ivf_pq_l2 ORDER BY d LIMIT 5", raw, "- estimate exact"},
		{"SELECT key, vec <-> " + q + " AS d FROM vector_ivf_pq_l2 WHERE vec <-> " + q + " < 100 LIMIT 5", raw, "- exact"},
		{"SELECT [1, 2] <-> [4, 6] AS d, 1 - ([1, 0] <=> [1, 1]) AS s, l2_norm([1, 2])", refined, "exact exact -"},
		{"SELECT q.key, n.key, n.d, 1 - n.d AS s " +
			"FROM (SELECT key, vec FROM vector_ivf_pq_l2 WHERE key < 3 AND vec IS NOT NULL) q CROSS JOIN LATERAL " +
			"(SELECT key, t.vec <-> q.vec AS d FROM vector_ivf_pq_l2 t ORDER BY d LIMIT 2) n", raw, "- - estimate estimate"},
		{"SELECT q.key, n.d FROM (SELECT key, vec FROM vector_ivf_pq_l2 WHERE key < 3 AND vec IS NOT NULL) q CROSS JOIN LATERAL " +
			"(SELECT key, t.vec <-> q.vec AS d FROM vector_ivf_pq_l2 t ORDER BY d LIMIT 2) n", refined, "- exact"},
		{"SELECT q.key, n.d FROM (SELECT key, vec FROM vector_ivf_pq_l2 WHERE key < 3 AND vec IS NOT NULL) q CROSS JOIN LATERAL " +
			"(SELECT t.vec <-> q.vec AS d FROM vector_ivf_pq_l2 t WHERE t.key < 9) n", raw, "- exact"},
		{"SELECT key, vecs <=> (SELECT vecs FROM vector_multivector_cosine WHERE key = 3) AS d FROM vector_multivector_cosine ORDER BY d LIMIT 3",
			raw, "- estimate"},
	} {
		require.Equal(t, c.want, distanceMarks(t, e, c.sql, c.s), c.sql)
		// EXPLAIN says the same of the search.
		explained := strings.Contains(explainText(t, e, c.s, c.sql), "distances=estimated")
		if estimated := strings.Contains(c.want, "estimate"); estimated || !strings.Contains(c.want, "- -") {
			require.Equal(t, estimated, explained, c.sql)
		}
		// So does the metadata of every batch: run compares schemas. Preparing alone tells it, too.
		p, err := e.Prepare(t.Context(), c.s, c.sql, nil)
		require.NoError(t, err)
		stream, err := p.Execute(t.Context(), sqlplan.ExecOptions{})
		require.NoError(t, err)
		rec, err := stream.Next(t.Context())
		require.NoError(t, err, c.sql)
		require.True(t, p.Schema().Equal(rec.Schema()), "%s\n%s", p.Schema(), rec.Schema())
		for i, f := range p.Schema().Fields() {
			require.True(t, f.Metadata.Equal(rec.Schema().Field(i).Metadata), c.sql)
		}
		rec.Release()
		require.NoError(t, stream.Close())
	}

	// What is called exact is what an exact search finds for the row, and what is called an estimate is not for some row.
	for _, table := range []string{"vector_ivf_pq_l2", "vector_ivf_sq_l2", "vector_ivf_flat_l2", "vector_ivf_pq_unindexed_and_deleted",
		"vector_ivf_pq_delta_segments"} {
		for _, s := range []sqlplan.Session{refined, raw, withSetting(raw, "lance.fast_search", "true")} {
			query := fmt.Sprintf("(SELECT vec FROM %s WHERE vec IS NOT NULL ORDER BY key LIMIT 1)", table)
			near := fmt.Sprintf("SELECT key, vec <-> %s AS d FROM %s ORDER BY d LIMIT 20", query, table)
			_, rows, err := e.rows(t,
				fmt.Sprintf("SELECT n.d - (t.vec <-> %s) AS off FROM (%s) n JOIN %s t ON n.key = t.key", query, near, table), s)
			require.NoError(t, err)
			require.Len(t, rows, 20)
			off := false
			for _, row := range rows {
				v := row[0].(float64)
				off = off || v > 1e-4 || v < -1e-4
			}
			require.Equal(t, off, distanceMarks(t, e, near, s) == "- estimate", "%s %v", table, s.Settings)
		}
	}
}

// withSetting is a session with one more setting.
func withSetting(s sqlplan.Session, name, value string) sqlplan.Session {
	out := sqlplan.Session{Settings: map[string]string{name: value}}
	for k, v := range s.Settings {
		out.Settings[k] = v
	}
	return out
}
