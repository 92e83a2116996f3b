package sqlplan_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

var bytesRead = regexp.MustCompile(`\bbytes_read=(\d+)`)

// What asks for lengths or NULLs alone reads them alone, and is right; what needs values reads each column once.
func TestLengthsAndValidityAlone(t *testing.T) {
	for _, name := range []string{"laion_v2_0", "laion_v2_1", "laion_v2_2"} {
		e := newEngine(t, map[string]string{"train": name})
		for _, q := range []struct {
			sql, slow string // slow asks for the same in a way that needs the values
			little    bool   // few bytes are read
		}{
			{"SELECT count(image) FROM train", "SELECT count(*) FROM train WHERE octet_length(image || ''::blob) >= 0", true},
			{"SELECT sum(octet_length(image)) FROM train", "SELECT sum(octet_length(image || ''::blob)) FROM train", true},
			{"SELECT count(*) FROM train WHERE image IS NULL", "SELECT count(*) FROM train WHERE (image || ''::blob) IS NULL", true},
			{"SELECT count(*) FROM train WHERE image IS NOT NULL AND octet_length(image) > 900",
				"SELECT count(*) FROM train WHERE octet_length(image || ''::blob) > 900", true},
			{"SELECT key, octet_length(image), image IS NULL FROM train ORDER BY key",
				"SELECT key, octet_length(image || ''::blob), (image || ''::blob) IS NULL FROM train ORDER BY key", true},
			{"SELECT key FROM train ORDER BY octet_length(image) DESC NULLS LAST, key LIMIT 5",
				"SELECT key FROM train ORDER BY octet_length(image || ''::blob) DESC NULLS LAST, key LIMIT 5", true},
			{"SELECT count(img_emb), count(caption), count(key) FROM train",
				"SELECT sum(CASE WHEN img_emb[1] IS NULL THEN 0 ELSE 1 END), count(caption || ''), count(key + 0) FROM train", false},
			{"SELECT status, count(error_message) FILTER (WHERE width > 100), max(octet_length(caption)) FROM train GROUP BY status ORDER BY 1",
				"SELECT status, count(error_message || '') FILTER (WHERE width > 100), max(octet_length(caption || '')) " +
					"FROM train GROUP BY status ORDER BY 1", false},
			{"SELECT key, image FROM train WHERE image IS NOT NULL ORDER BY key LIMIT 7",
				"SELECT key, image FROM train WHERE (image || ''::blob) IS NOT NULL ORDER BY key LIMIT 7", false},
			{"SELECT count(DISTINCT caption), count(caption) FROM train", "SELECT count(DISTINCT caption), count(caption || '') FROM train", false},
			{"SELECT octet_length(image), image FROM train WHERE key = 11",
				"SELECT octet_length(image || ''::blob), image FROM train WHERE key = 11", false},
			{"SELECT a.key, octet_length(a.image) FROM train a JOIN train b ON a.key = b.key WHERE b.caption IS NOT NULL ORDER BY 1 LIMIT 9",
				"SELECT a.key, octet_length(a.image || ''::blob) FROM train a JOIN train b ON a.key = b.key " +
					"WHERE (b.caption || '') IS NOT NULL ORDER BY 1 LIMIT 9", false},
		} {
			_, want, err := e.rows(t, q.slow, sqlplan.Session{})
			require.NoError(t, err, q.slow)
			_, got, err := e.rows(t, q.sql, sqlplan.Session{})
			require.NoError(t, err, q.sql)
			require.Equal(t, want, got, "%s: %s", name, q.sql)
			if !q.little {
				continue
			}
			_, rows, err := e.rows(t, "EXPLAIN ANALYZE "+q.sql, sqlplan.Session{})
			require.NoError(t, err)
			total := 0
			for _, m := range bytesRead.FindAllStringSubmatch(rows[0][1].(string), -1) {
				n, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				total += n
			}
			require.Positive(t, total)
			require.Less(t, total, 64<<10, "%s: %s\n%s", name, q.sql, rows[0][1])
		}
	}
}

// Columns that are called as lengths and validity are shown are columns like any other, beside the parts themselves.
func TestColumnsNamedLikeParts(t *testing.T) {
	dir := t.TempDir()
	fixtures.Rename(t, "laion_v2_2", dir, "named", map[string]string{"width": "octet_length(caption)", "url": "is_valid(caption)"})
	named, plain := newEngineOver(t, dir, sqlplan.Options{}), newEngine(t, map[string]string{"named": "laion_v2_2"})
	columns := strings.NewReplacer("width", `"octet_length(caption)"`, "url", `"is_valid(caption)"`)
	for range 2 { // the second time, zones are known
		for _, sql := range []string{
			"SELECT key, octet_length(caption), width, url, caption IS NULL FROM named ORDER BY key",
			"SELECT sum(octet_length(caption)), sum(width), count(caption), count(url), min(url) FROM named",
			"SELECT key, url FROM named WHERE octet_length(caption) > 60 AND width > 300 ORDER BY key",
			"SELECT count(*) FROM named WHERE octet_length(caption) > 60",
			"SELECT count(*) FROM named WHERE width > 60",
			"SELECT count(*) FROM named WHERE width > 300 AND caption IS NOT NULL AND url IS NOT NULL AND octet_length(url) > 40",
			"SELECT key, width FROM named ORDER BY octet_length(caption) DESC NULLS LAST, key LIMIT 5",
			"SELECT key, octet_length(caption), url FROM named ORDER BY width, key LIMIT 5",
		} {
			_, want, err := plain.rows(t, sql, sqlplan.Session{})
			require.NoError(t, err, sql)
			require.NotEmpty(t, want, sql)
			_, got, err := named.rows(t, columns.Replace(sql), sqlplan.Session{})
			require.NoError(t, err, sql)
			require.Equal(t, want, got, sql)
		}
	}
	_, got, err := named.rows(t, "EXPLAIN SELECT sum(octet_length(caption)) FROM named", sqlplan.Session{})
	require.NoError(t, err)
	require.Contains(t, got[0][1], "columns=[octet_length(caption)]")
}
