package sqlplan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

func TestRowsThatPassAreKept(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	const note = "the rows that pass are known from a search before"
	vector := func(x float64) string {
		return "[" + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%v,", x), 768), ",") + "]"
	}
	search := func(filter string, x float64) string {
		return fmt.Sprintf("SELECT key FROM train WHERE %s ORDER BY img_emb <-> %s LIMIT 5", filter, vector(x))
	}
	known := func(filter string, x float64, s sqlplan.Session) bool {
		_, rows, err := e.rows(t, "EXPLAIN ANALYZE "+search(filter, x), s)
		require.NoError(t, err)
		return strings.Contains(fmt.Sprint(rows), note)
	}
	forget := sqlplan.Session{Settings: map[string]string{"lance.learn_statistics": "false"}}
	for _, filter := range []string{"width > 300", "width > 301", "height > 300", "width > 300 AND similarity > 0.3"} {
		require.False(t, known(filter, 0.01, sqlplan.Session{}), "%s: the first time", filter)
		require.True(t, known(filter, 0.02, sqlplan.Session{}), "%s: with another vector", filter)
		require.False(t, known(filter, 0.02, forget), filter)
		for _, x := range []float64{0.01, -0.02} {
			_, kept, err := e.rows(t, search(filter, x), sqlplan.Session{})
			require.NoError(t, err)
			_, want, err := e.rows(t, search(filter, x), forget)
			require.NoError(t, err)
			require.Equal(t, want, kept, filter)
		}
	}
}
