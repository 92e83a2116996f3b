package sqlplan_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// max_nprobes bounds how far a search goes on while it has too few rows, without a filter too. The nprobes that were asked for are
// searched whatever it says. With a filter the index itself goes on: vecindex/ivf/ivftest has the same cases for that.
func TestMaxNProbes(t *testing.T) {
	e := newEngine(t, map[string]string{"l2": "vector_ivf_flat_l2"})
	const k, parts = 1000, 8 // more rows than the table has
	probed := regexp.MustCompile(`partitions_probed=(\d+) of (\d+)`)
	for _, tc := range []struct{ nprobes, most, want int }{
		{1, 0, parts}, // as far as it takes
		{1, 1, 1}, {1, 2, 2}, {1, 3, 3}, {2, 3, 3}, {1, 7, 7}, {1, parts + 5, parts},
		{2, 1, 2}, {5, 4, 5}, {parts, 1, parts}, // no effect
	} {
		sql := fmt.Sprintf("EXPLAIN ANALYZE SELECT key FROM l2 ORDER BY vec <-> (SELECT vec FROM l2 WHERE key = 5) LIMIT %d", k)
		_, rows, err := e.rows(t, sql, sqlplan.Session{Settings: map[string]string{
			"lance.nprobes": strconv.Itoa(tc.nprobes), "lance.max_nprobes": strconv.Itoa(tc.most),
		}})
		require.NoError(t, err)
		found := probed.FindStringSubmatch(rows[0][1].(string))
		require.NotNil(t, found, "%s", rows[0][1])
		require.Equal(t, strconv.Itoa(parts), found[2])
		require.Equal(t, strconv.Itoa(tc.want), found[1], "nprobes %d, max_nprobes %d", tc.nprobes, tc.most)
	}
}
