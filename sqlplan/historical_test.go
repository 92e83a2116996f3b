package sqlplan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// TestHistoricalSQL asks tables of old writers by SQL. What a column has is taken from a scan of all of it,
// and each value, some bounds and NULL are then looked for with and without the indices of the table.
func TestHistoricalSQL(t *testing.T) {
	paths := fixtures.Glob(t, "../historical/*.lance")
	dir := t.TempDir()
	for _, path := range paths {
		require.NoError(t, os.Symlink(path, filepath.Join(dir, filepath.Base(path))))
	}
	e := newEngineOver(t, dir, sqlplan.Options{})
	without := sqlplan.Session{Settings: map[string]string{"lance.use_scalar_index": "false"}}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".lance")
		t.Run(name, func(t *testing.T) {
			var want struct {
				Rows       int64
				CannotOpen string `json:"cannot_open"`
				CannotRead string `json:"cannot_read"`
			}
			fixtures.Expected(t, "../historical/"+name, &want)
			schema, all, err := e.rows(t, fmt.Sprintf("SELECT * FROM %q", name), sqlplan.Session{})
			if want.CannotOpen != "" || want.CannotRead != "" {
				require.Equal(t, fault.NotFound, fault.KindOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, want.Rows, len(all))
			_, counted, err := e.rows(t, fmt.Sprintf("SELECT count(*) FROM %q", name), sqlplan.Session{})
			require.NoError(t, err)
			require.EqualValues(t, want.Rows, counted[0][0])
			for c, f := range schema.Fields() {
				if arrow.IsNested(f.Type.ID()) {
					continue
				}
				conditions := []string{fmt.Sprintf("%q IS NULL", f.Name), fmt.Sprintf("%q IS NOT NULL", f.Name)}
				for i := 0; i < len(all); i += max(len(all)/25, 1) {
					if v := all[i][c]; v != nil {
						text := fmt.Sprint(v)
						if s, ok := v.(string); ok {
							text = "'" + strings.ReplaceAll(s, "'", "''") + "'"
						}
						conditions = append(conditions, fmt.Sprintf("%q = %s", f.Name, text), fmt.Sprintf("%q < %s", f.Name, text),
							fmt.Sprintf("%q <> %s", f.Name, text))
					}
				}
				for _, condition := range conditions {
					sql := fmt.Sprintf("SELECT _rowaddr FROM %q WHERE %s", name, condition)
					_, with, err := e.rows(t, sql, sqlplan.Session{})
					require.NoError(t, err, sql)
					_, scanned, err := e.rows(t, sql, without)
					require.NoError(t, err, sql)
					require.Equal(t, rowTexts(scanned), rowTexts(with), sql)
				}
			}
			// Rows that a sort keeps are fetched by their addresses.
			plain := slices.IndexFunc(schema.Fields(), func(f arrow.Field) bool { return !arrow.IsNested(f.Type.ID()) })
			if plain >= 0 && len(all) > 0 {
				sql := fmt.Sprintf("SELECT * FROM %q ORDER BY %d LIMIT %d", name, plain+1, len(all))
				_, ordered, err := e.rows(t, sql, sqlplan.Session{})
				require.NoError(t, err)
				require.Equal(t, rowTexts(all), rowTexts(ordered))
			}
		})
	}
}

// rowTexts are rows as text, sorted.
func rowTexts(rows [][]any) []string {
	texts := make([]string, len(rows))
	for i, r := range rows {
		texts[i] = fmt.Sprint(r...)
	}
	slices.Sort(texts)
	return texts
}
