package parse

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// DuckDB must agree on what binds to what: testdata/duckdb/regenerate.py asked it whether a text with
// all parentheses and one with some of them left out are one tree. Here they must be one tree
// exactly where they are there.
func TestPrecedenceIsDuckDBs(t *testing.T) {
	text, err := os.ReadFile("testdata/duckdb/precedence.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	require.Greater(t, len(lines), 1000)
	for _, line := range lines {
		f := strings.Split(line, "\t")
		full, err := ParseExpr(f[0])
		require.NoError(t, err)
		less, err := ParseExpr(f[1])
		require.NoError(t, err)
		verdict := "other"
		if cmp.Equal(full, less, ignorePos) {
			verdict = "same"
		}
		if f[2] != verdict {
			t.Errorf("%s\n%s\nare the %s in DuckDB; the second is %s here", f[0], f[1], f[2], sexpr(less))
		}
	}
}
