package sqlname

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuote(t *testing.T) {
	for name, want := range map[string]string{
		"": `""`, "a": "a", "_a1": "_a1", "1a": `"1a"`, "A": `"A"`, "a b": `"a b"`, `a"b`: `"a""b"`, "ä": `"ä"`, "a.b": `"a.b"`,
	} {
		require.Equal(t, want, QuoteIfNeeded(name))
	}
	require.Equal(t, "Ab_1", QuoteForPeople("Ab_1"))
	require.Equal(t, `"A b"`, QuoteForPeople("A b"))
	require.Equal(t, `"a"`, Quote("a"))
	require.Equal(t, `""""`, Quote(`"`))
}
