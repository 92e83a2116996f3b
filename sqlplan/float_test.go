package sqlplan_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// A number without an exponent beside a FLOAT is the FLOAT that is nearest to it, and so is a number that is
// bound to a parameter there. A DOUBLE stays one.
func TestNumbersBesideFloats(t *testing.T) {
	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	const table = " FROM (VALUES (CAST(0.1 AS FLOAT), 0), (CAST(0.2 AS FLOAT), 1), (0.5::FLOAT, 2), " +
		"(NULL, 3), ('NaN'::FLOAT, 4), (0::FLOAT, 5)) t(f, id)"
	for where, want := range map[string]string{
		"f = ?":                       "[[0]]",
		"? = f":                       "[[0]]",
		"f <= ?":                      "[[0] [5]]",
		"f < ?":                       "[[5]]",
		"f >= ?":                      "[[0] [1] [2] [4]]",
		"f > ?":                       "[[1] [2] [4]]",
		"f <> ?":                      "[[1] [2] [4] [5]]",
		"f IS DISTINCT FROM ?":        "[[1] [2] [3] [4] [5]]",
		"f IS NOT DISTINCT FROM ?":    "[[0]]",
		"f IN (?, 0.2)":               "[[0] [1]]",
		"f NOT IN (?, 0.2)":           "[[2] [4] [5]]",
		"f BETWEEN ? AND 0.2":         "[[0] [1]]",
		"f NOT BETWEEN ? AND ?":       "[[1] [2] [4] [5]]",
		"CASE f WHEN ? THEN TRUE END": "[[0]]",
		"nullif(f, ?) IS NULL":        "[[0] [3]]",
		"f = ANY ([?])":               "[[0]]",
		"f + 0 = CAST(? AS DOUBLE)":   "[]",
		"f = CAST(? AS DOUBLE)":       "[]",
	} {
		sql := "SELECT id" + table + " WHERE " + where + " ORDER BY id"
		constants, params := "", []expr.Literal{}
		for _, r := range sql {
			if r == '?' {
				constants += "0.1"
				params = append(params, double(0.1))
			} else {
				constants += string(r)
			}
		}
		_, rows, err := e.rows(t, constants, sqlplan.Session{})
		require.NoError(t, err, where)
		require.Equal(t, want, fmt.Sprint(rows), where)
		_, rows, err = e.bound(t, sql, params)
		require.NoError(t, err, where)
		require.Equal(t, want, fmt.Sprint(rows), "%s, bound", where)
	}
	// Where no FLOAT is near, the two are compared as DOUBLE.
	for where, want := range map[string]string{
		"f < 1e300": "[[0] [1] [2] [5]]", "f = 1e-1": "[]", "f IN (1e-1, 0.5)": "[[2]]", "f > 0." + fmt.Sprintf("%037d", 1): "[[0] [1] [2] [4]]",
		"f < 99999999999999999999999999999999999999":   "[[0] [1] [2] [5]]",
		"f > -340282356779733661637539395458142568449": "[[0] [1] [2] [4] [5]]",
	} {
		_, rows, err := e.rows(t, "SELECT id"+table+" WHERE "+where+" ORDER BY id", sqlplan.Session{})
		require.NoError(t, err, where)
		require.Equal(t, want, fmt.Sprint(rows), where)
	}
}
