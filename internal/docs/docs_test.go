// Package docs keeps what the pages under docs say about the code true: the functions and settings that
// SQL.md lists, and the shape of the pages. The flags that OPERATING.md lists are compared in cmd/lanceflight,
// and the examples on the pages are run by integration/python/test_readme.py.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// page returns the text of a file of the repository.
func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	require.NoError(t, err)
	return string(text)
}

// section returns what stands under a heading, up to the next heading of the same level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n"+heading+"\n")
	require.True(t, found, "there is no heading %q", heading)
	level := heading[:strings.IndexByte(heading, ' ')+1]
	rest, _, _ = strings.Cut(rest, "\n"+level)
	return rest
}

// rows returns the cells of every row of the tables in a text, the heads and the lines below them left out.
// A vertical bar in a cell is written with a backslash before it.
func rows(text string) [][]string {
	var out [][]string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") {
			continue
		}
		if i+1 < len(lines) && strings.HasPrefix(lines[i+1], "| ---") {
			continue
		}
		line = strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "\x00")
		cells := strings.Split(line, "|")
		for j, c := range cells {
			cells[j] = strings.ReplaceAll(strings.TrimSpace(c), "\x00", "|")
		}
		out = append(out, cells)
	}
	return out
}

var code = regexp.MustCompile("`([^`]+)`")

// TestFunctionsAreListed compares the tables under "Functions" with the function table: a function that
// is added has to be listed, and one that is removed has to be struck out.
func TestFunctionsAreListed(t *testing.T) {
	listed := map[string]bool{}
	for _, row := range rows(section(t, page(t, "docs/SQL.md"), "## Functions")) {
		require.Len(t, row, 2)
		for _, m := range code.FindAllStringSubmatch(row[1], -1) {
			require.False(t, listed[m[1]], "docs/SQL.md lists %s twice", m[1])
			listed[m[1]] = true
		}
	}
	for _, f := range expr.FunctionNames() {
		require.True(t, listed[f.Name], "docs/SQL.md does not list the function %s (%s)", f.Name, f.Category)
		delete(listed, f.Name)
	}
	require.Empty(t, listed, "docs/SQL.md lists functions that do not exist")
}

// TestSettingsAreListed compares the table under "Settings" with the names and defaults of the settings.
func TestSettingsAreListed(t *testing.T) {
	listed := map[string]string{}
	for _, row := range rows(section(t, page(t, "docs/SQL.md"), "## Settings")) {
		require.Len(t, row, 4)
		value := strings.Trim(row[1], "`")
		if row[1] == "(empty)" {
			value = ""
		}
		listed[strings.Trim(row[0], "`")] = value
	}
	require.Equal(t, sqlplan.DefaultSettings(), listed)
}

// userPages are the pages for those who use the program.
var userPages = []string{
	"README.md", "docs/SQL.md", "docs/VECTOR_SEARCH.md", "docs/CONNECTING.md", "docs/OPERATING.md",
	"docs/LIMITS.md", "docs/BENCHMARKS.md", "docs/BENCHMARKS_NOTEBOOK.md", "docs/TOOLS.md",
	"docs/TESTING.md", "docs/ARCHITECTURE.md", "docs/ADDING.md",
}

// TestProseIsWrapped holds prose to 100 columns. Tables and code may be wider.
func TestProseIsWrapped(t *testing.T) {
	for _, path := range userPages {
		inCode := false
		for i, line := range strings.Split(page(t, path), "\n") {
			if strings.HasPrefix(line, "```") {
				inCode = !inCode
			}
			if inCode || strings.HasPrefix(strings.TrimSpace(line), "|") || strings.HasPrefix(line, "    ") {
				continue
			}
			require.LessOrEqual(t, utf8.RuneCountInString(line), 100, "%s:%d is too wide", path, i+1)
		}
	}
}

// TestReadmeIsShort: at most 100 lines of at most 100 columns, and no paragraph of more than four lines.
func TestReadmeIsShort(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(page(t, "README.md"), "\n"), "\n")
	require.LessOrEqual(t, len(lines), 100)
	paragraph, inCode := 0, false
	for i, line := range lines {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 100, "README.md:%d is too wide", i+1)
		if strings.HasPrefix(line, "```") {
			inCode = !inCode
		}
		if inCode || line == "" || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "- ") {
			paragraph = 0
		}
		if !inCode && line != "" && !strings.HasPrefix(line, "|") {
			paragraph++
		}
		require.LessOrEqual(t, paragraph, 4, "the paragraph that README.md:%d is in has more than four lines", i+1)
	}
}

// anchorOf turns a heading into the anchor that GitHub gives it.
func anchorOf(heading string) string {
	heading = strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#")))
	heading = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(heading, "")
	return strings.ReplaceAll(heading, " ", "-")
}

// TestLinksLeadSomewhere follows the links between pages, headings included.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notProse := regexp.MustCompile("(?ms)^```.*?^```$|^    [^\n]*$|`[^`\n]*`")
	for _, path := range userPages {
		for _, m := range link.FindAllStringSubmatch(notProse.ReplaceAllString(page(t, path), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, hasAnchor := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(path), file)
			if file == "" {
				target = path
			}
			info, err := os.Stat(filepath.Join("..", "..", target))
			require.NoError(t, err, "%s links to %s", path, m[1])
			if !hasAnchor {
				continue
			}
			require.False(t, info.IsDir())
			found := false
			for _, line := range strings.Split(page(t, target), "\n") {
				found = found || strings.HasPrefix(line, "#") && anchorOf(line) == anchor
			}
			require.True(t, found, "%s links to %s, and there is no such heading", path, m[1])
		}
	}
}
