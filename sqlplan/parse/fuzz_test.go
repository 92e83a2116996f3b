package parse

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// FuzzParse holds that any bytes are answered with a tree or with an error of a kind that is the
// caller's, whose position is in the text; and that a tree's canonical text parses to that tree.
// Seeds: every statement of the corpus.
func FuzzParse(f *testing.F) {
	for _, sql := range corpusStatements(f) {
		f.Add(sql)
	}
	f.Add(strings.Repeat("NOT ", 200) + "a")
	f.Add("SELECT " + strings.Repeat("(", 200))
	f.Fuzz(func(t *testing.T, sql string) {
		st, err := Parse(sql)
		if err != nil {
			require.Nil(t, st)
			kind := fault.KindOf(err)
			require.Contains(t, []fault.Kind{fault.InvalidArgument, fault.Unsupported, fault.ResourceExhausted}, kind, "%v", err)
			var e *fault.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, sql, e.SQL)
			require.True(t, e.Pos >= 0 && e.Pos <= len(sql), "position %d of %d", e.Pos, len(sql))
			return
		}
		Walk(st, func(n any) bool {
			if e, ok := n.(Expr); ok {
				require.Less(t, int(e.Position()), len(sql))
			}
			return true
		})
		// The canonical text has parentheses and AS that the original had not.
		text := Format(st)
		again, err := ParseWith(text, Options{MaxDepth: 1000, MaxBytes: 1 << 30})
		require.NoError(t, err, "canonical text of %q", sql)
		if diff := cmp.Diff(st, again, ignorePos); diff != "" {
			t.Fatalf("%s\nis printed as\n%s\nwhich parses to another tree:\n%s", sql, text, diff)
		}
	})
}
