package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// formatDir is where the pages about the files of a table are, seen from this package.
const formatDir = "../../docs/format"

var (
	// sourcePath finds paths of the repository's own code in a page: files and folders, in backquotes.
	sourcePath = regexp.MustCompile("`((?:lancefmt|vecindex|inspect|internal|cmd)/[A-Za-z0-9_./-]+)`")
	// goFile finds every other mention of a Go file, which would be one without its folder.
	goFile   = regexp.MustCompile(`[A-Za-z0-9_./-]+\.go\b`)
	pageLink = regexp.MustCompile(`\]\(([^)#]+\.md)[^)]*\)`)
)

// formatPages returns the text of every page under docs/format by its name.
func formatPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	names, err := fs.Glob(os.DirFS(formatDir), "*.md")
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(formatDir, name))
		require.NoError(t, err)
		pages[name] = string(text)
	}
	require.NotEmpty(t, pages)
	return pages
}

// TestFormatPagesNameFiles checks that the code which the pages name exists, so that a rename is noticed.
func TestFormatPagesNameFiles(t *testing.T) {
	for name, text := range formatPages(t) {
		named := map[string]bool{}
		for _, m := range sourcePath.FindAllStringSubmatch(text, -1) {
			named[m[1]] = true
			_, err := os.Stat(filepath.Join("../..", m[1]))
			require.NoError(t, err, "%s names %s", name, m[1])
		}
		for _, path := range goFile.FindAllString(text, -1) {
			require.True(t, named[path], "%s names %s, which is no path from the root of the repository in backquotes", name, path)
		}
		if name != "README.md" {
			require.NotEmpty(t, named, "%s names no decoder", name)
		}
	}
}

// TestFormatPagesAreLinked checks that links between the pages lead somewhere, and that the index lists every page.
func TestFormatPagesAreLinked(t *testing.T) {
	pages := formatPages(t)
	for name, text := range pages {
		for _, m := range pageLink.FindAllStringSubmatch(text, -1) {
			require.FileExists(t, filepath.Join(formatDir, m[1]), "link in %s", name)
		}
		if name != "README.md" {
			require.Contains(t, pages["README.md"], "]("+name+")", "the index does not list %s", name)
		}
	}
}

// TestFormatPagesAreWrapped checks that everything but tables fits a screen of 100 columns.
func TestFormatPagesAreWrapped(t *testing.T) {
	for name, text := range formatPages(t) {
		for i, line := range strings.Split(text, "\n") {
			if !strings.HasPrefix(line, "|") {
				require.LessOrEqual(t, utf8.RuneCountInString(line), 100, "%s, line %d", name, i+1)
			}
		}
	}
}
