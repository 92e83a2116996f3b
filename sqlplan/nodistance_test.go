package sqlplan_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// distanceForm is a way to write a distance: nearest first in this order, and within a bound by this comparison.
type distanceForm struct{ metric, call, order, within string }

var distanceForms = []distanceForm{
	{"l2", "%s <-> %s", "ASC", "<"},
	{"l2", "2 - l2_distance(%s, %s)", "DESC", ">="},
	{"cosine", "%s <=> %s", "ASC", "<"},
	{"cosine", "cosine_similarity(%s, %s)", "DESC", ">"},
	{"cosine", "1 - (%s <=> %s)", "DESC", ">="},
	{"dot", "%s <#> %s", "ASC", "<="},
	{"dot", "inner_product(%s, %s)", "DESC", ">"},
}

// Which rows have a distance, and what it is, does not depend on how it is asked for: as a value, by a bound, by a sort, by a search
// with an index, without one or with one that covers some rows, under LATERAL or above a join. A distance that is not a finite number
// is NULL, whether a vector is NULL, zero under cosine, or has NaN or an infinity; no bound holds for it, and no search finds it.
func TestRowsWithoutDistance(t *testing.T) {
	e := newEngineOver(t, filepath.Join("testdata", "distances"), sqlplan.Options{})
	for _, table := range []string{"l2", "cosine", "dot"} {
		for _, column := range []string{"v", "f", "h", "w"} {
			for _, f := range distanceForms {
				for i, query := range []string{"[0.5, -1, 0.25, 2]", "[0, 0, 0, 0]", "(SELECT %[1]s FROM %[2]s WHERE k = 40)"} {
					if i == 2 && column != "v" || i == 1 && column == "h" || testing.Short() && column != "v" {
						continue // the columns differ in type alone
					}
					if strings.Contains(query, "%") {
						query = fmt.Sprintf(query, column, table)
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%s", table, column, f.call, query), func(t *testing.T) {
						agreeOnDistances(t, e, table, column, f, query)
					})
				}
			}
		}
	}
}

func agreeOnDistances(t *testing.T, e *engine, table, column string, f distanceForm, query string) {
	ask := func(sql string, args ...any) (rows []string) {
		sql = fmt.Sprintf(sql, args...)
		rows, err := texts(e, sql, sqlplan.Session{Settings: map[string]string{"lance.nprobes": "100", "lance.refine_factor": "100"}})
		require.NoError(t, err, sql)
		return rows
	}
	keys := func(rows []string) []string {
		out := []string{}
		for _, r := range rows {
			k, _, _ := strings.Cut(r, " ")
			out = append(out, k)
		}
		return out
	}
	sorted := func(rows []string) []string { return slices.Sorted(slices.Values(keys(rows))) }
	d := fmt.Sprintf(f.call, column, query)

	// The values themselves say which rows have one.
	values := map[string]float64{}
	var have []string
	for _, row := range ask("SELECT k, %s AS d FROM %s", d, table) {
		k, text, _ := strings.Cut(row, " ")
		if text == "<nil>" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		require.False(t, math.IsNaN(v) || math.IsInf(v, 0), row)
		values[k] = v
		have = append(have, k)
	}
	slices.Sort(have)
	odd := 300 - len(values)
	if zero := query == "[0, 0, 0, 0]"; zero && f.metric == "cosine" {
		require.Equal(t, 300, odd)
	} else {
		require.Greater(t, odd, 1)
		require.Less(t, odd, 20)
	}
	require.Equal(t, have, sorted(ask("SELECT k FROM %s WHERE %s IS NOT NULL", table, d)))
	require.Equal(t, []string{strconv.Itoa(odd)}, ask("SELECT count(*) FROM %s WHERE %s IS NULL", table, d))

	// A search finds them, and no others, however it is done.
	for _, limit := range []string{"1000", "1000000"} { // beyond 65,536 rows a sort is another operator
		for _, sql := range []string{
			"SELECT k, %[1]s AS d FROM %[2]s ORDER BY d %[3]s LIMIT %[4]s",
			"SELECT k, %[1]s AS d FROM %[2]s ORDER BY d %[3]s, k DESC LIMIT %[4]s",
			"SELECT /*+ use_index(false) */ k, %[1]s AS d FROM %[2]s ORDER BY d %[3]s LIMIT %[4]s",
			"SELECT /*+ use_index(false) */ k, %[1]s AS d FROM %[2]s ORDER BY d %[3]s, k LIMIT %[4]s",
			"SELECT k, d FROM (SELECT k, %[1]s AS d FROM %[2]s) x JOIN (SELECT k AS k2 FROM %[2]s) y ON k = k2 ORDER BY d %[3]s LIMIT %[4]s",
			"WITH x AS (SELECT k, %[1]s AS d FROM %[2]s) SELECT k, d FROM x UNION ALL SELECT k, d FROM x ORDER BY d %[3]s LIMIT %[4]s",
			"SELECT DISTINCT k, %[1]s AS d FROM %[2]s ORDER BY d %[3]s LIMIT %[4]s",
			"SELECT n.k, n.d FROM (SELECT 1 AS one) q CROSS JOIN LATERAL (SELECT k, %[1]s AS d FROM %[2]s ORDER BY d %[3]s LIMIT %[4]s) n",
		} {
			rows := ask(sql, d, table, f.order, limit)
			got := sorted(rows)
			if strings.Contains(sql, "UNION") {
				require.Len(t, got, 2*len(have), sql)
				got = slices.Compact(got)
			}
			require.Equal(t, have, got, sql)
			for _, row := range rows {
				k, text, _ := strings.Cut(row, " ")
				v, err := strconv.ParseFloat(text, 64)
				require.NoError(t, err, row)
				require.InDelta(t, values[k], v, 1e-5*max(1, math.Abs(v)), sql)
			}
		}
	}
	if len(have) == 0 {
		require.Empty(t, ask("SELECT k FROM %s WHERE %s %s -1e30", table, d, strings.Replace(f.within, "<", ">", 1)))
		return
	}

	// So does a bound, in a filter and as the range of a search. It lies between two values, so that rounding does not matter.
	order := slices.Sorted(func(yield func(float64) bool) {
		for _, v := range values {
			if !yield(v) {
				return
			}
		}
	})
	at := len(order) / 3
	for order[at+1]-order[at] < 1e-3 {
		if at++; at+1 == len(order) {
			t.Skip("all values are equal")
		}
	}
	bound := (order[at] + order[at+1]) / 2
	var within []string
	for k, v := range values {
		if (v < bound) == strings.HasPrefix(f.within, "<") {
			within = append(within, k)
		}
	}
	slices.Sort(within)
	for _, sql := range []string{
		"SELECT k FROM %[2]s WHERE %[1]s %[5]s %[4]v",
		"SELECT k FROM %[2]s WHERE NOT (%[1]s %[6]s %[4]v)",
		"SELECT k FROM (SELECT k, %[1]s AS d FROM %[2]s) WHERE d %[5]s %[4]v ORDER BY d %[3]s",
		"SELECT k FROM (SELECT k, %[1]s AS d FROM %[2]s) WHERE d %[5]s %[4]v ORDER BY d %[3]s LIMIT 1000",
		"SELECT k FROM (SELECT k, %[1]s AS d FROM %[2]s) WHERE d %[5]s %[4]v ORDER BY d %[3]s, k LIMIT 1000",
		"SELECT /*+ use_index(false) */ k FROM (SELECT k, %[1]s AS d FROM %[2]s) WHERE d %[5]s %[4]v ORDER BY d %[3]s LIMIT 1000",
		"SELECT n.k FROM (SELECT 1 AS one) q CROSS JOIN LATERAL (SELECT k, %[1]s AS d FROM %[2]s) n WHERE n.d %[5]s %[4]v",
	} {
		not := map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[f.within]
		require.Equal(t, within, sorted(ask(sql, d, table, f.order, bound, f.within, not)), sql)
	}

	// Without LIMIT a sort is a sort: rows without a distance are there, where NULL sorts.
	all := ask("SELECT k, %s AS d FROM %s ORDER BY d %s NULLS LAST", d, table, f.order)
	require.Len(t, all, 300)
	require.Equal(t, have, sorted(all[:len(have)]))
	last := ask("SELECT k FROM %s ORDER BY %s %s NULLS FIRST LIMIT 3", table, d, map[string]string{"ASC": "DESC", "DESC": "ASC"}[f.order])
	for _, k := range keys(last) {
		require.NotContains(t, have, k, "farthest first, and NULL before")
	}
}
