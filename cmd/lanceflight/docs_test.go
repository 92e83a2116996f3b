package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFlagsAreListed compares the table of flags in docs/OPERATING.md with those that serve has, and their
// defaults where the page states one that is not described in words.
func TestFlagsAreListed(t *testing.T) {
	text, err := os.ReadFile("../../docs/OPERATING.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\n## Flags\n")
	require.True(t, found)
	table, _, _ := strings.Cut(rest, "\n## ")
	listed := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| ([^|]*) ?\\|").FindAllStringSubmatch(table, -1) {
		listed[m[1]] = strings.TrimSpace(m[2])
	}
	root := newRoot()
	serve, _, err := root.Find([]string{"serve"})
	require.NoError(t, err)
	usages := serve.Flags().FlagUsages() + serve.InheritedFlags().FlagUsages()
	names := regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)`).FindAllStringSubmatch(usages, -1)
	require.NotEmpty(t, names)
	for _, m := range names {
		name := m[1]
		shown, ok := listed[name]
		require.True(t, ok || name == "help", "docs/OPERATING.md does not list --%s", name)
		if strings.HasPrefix(shown, "`") {
			require.Equal(t, serve.Flag(name).DefValue, strings.Trim(shown, "`"), "the default of --%s", name)
		}
		delete(listed, name)
	}
	require.Empty(t, listed, "docs/OPERATING.md lists flags that do not exist")
}
