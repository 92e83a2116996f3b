package layering

import (
	"bytes"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// maxColumns is how wide lines of Go may be, in characters. A tab counts as one, as it does for grep.
// Prose in Markdown is narrower, which internal/docs checks.
const maxColumns = 140

// TestLinesFitAScreen checks that no line of Go is wider than 140 columns. Exempt are code that protoc has
// written, and lines that are long because of a literal without spaces, since neither can be wrapped.
func TestLinesFitAScreen(t *testing.T) {
	root := repositoryRoot(t)
	checked := 0
	for _, name := range goFiles(t, root) {
		checked++
		for _, line := range tooWide(t, filepath.Join(root, name)) {
			t.Errorf("%s:%d: %d columns, at most %d", name, line.number, line.columns, maxColumns)
		}
	}
	require.Greater(t, checked, 100)
}

// TestGoCodeIsWhatCanBeWrapped pins which lines of a Go file count as too wide.
func TestGoCodeIsWhatCanBeWrapped(t *testing.T) {
	words, word := strings.Repeat("word ", 30), strings.Repeat("w", 130)
	for _, c := range []struct {
		name, text string
		wide       int
	}{
		{"comment", "// " + words, 1},
		{"text of words", "var x = \"" + words + "\"", 1},
		{"text of one word", "var x, y, z = 1, 2, \"" + word + "\"", 0},
		{"text of one word of several lines", "var x, y, z = 1, 2, `" + word + "\n` + `" + word + "`", 1},
		{"text of one word in a line that is too wide anyway", "var " + strings.Repeat("x, ", 50) + " = \"" + word + "\"", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file.go")
			require.NoError(t, os.WriteFile(path, []byte("package p\n\n"+c.text), 0o666))
			require.Len(t, tooWide(t, path), c.wide)
		})
	}
}

type wideLine struct{ number, columns int }

// tooWide returns the lines of a Go file that have too many columns and can be broken.
func tooWide(t *testing.T, path string) (found []wideLine) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var fixed map[int]int // made for the few files that need it
	for i, line := range bytes.Split(text, []byte("\n")) {
		columns := utf8.RuneCount(line)
		if columns <= maxColumns {
			continue
		}
		if fixed == nil {
			fixed = unbreakable(text)
		}
		if columns-fixed[i+1] > maxColumns/2 || fixed[i+1] < maxColumns/2 {
			found = append(found, wideLine{i + 1, columns})
		}
	}
	return found
}

// unbreakable returns, by the number of the line, how many columns the longest literal takes that lies
// on one line and has no space where it could be broken.
func unbreakable(text []byte) map[int]int {
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	columns := map[int]int{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return columns
		}
		if tok == token.STRING && !strings.ContainsAny(literal, " \n") {
			line := file.Line(pos)
			columns[line] = max(columns[line], utf8.RuneCountInString(literal))
		}
	}
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// goFiles returns the files of Go that people write, relative to the root of the repository. Folders that
// start with a dot hold what tools keep.
func goFiles(t *testing.T, root string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".pb.go") {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	}))
	return names
}
