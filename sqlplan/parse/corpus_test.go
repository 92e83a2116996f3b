package parse

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// TestCorpus holds the parser to the golden files, one per topic. The commands:
//
//	parse    a statement; the output is its canonical text, or the error
//	tree     a statement; the output is its tree in prefix form, where the canonical text would not
//	         show what binds to what
//	many     statements, one a line; the output is the canonical text of each
//	refuse   statements, one a line; the output is the error of each. One that parses is a failure
//
// Every canonical text is parsed again and must print the same.
func TestCorpus(t *testing.T) {
	statements := 0
	datadriven.Walk(t, "testdata/corpus", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			inputs := []string{d.Input}
			if d.Cmd == "many" || d.Cmd == "refuse" {
				inputs = strings.Split(d.Input, "\n")
			}
			var out strings.Builder
			for _, sql := range inputs {
				statements++
				st, err := Parse(sql)
				switch {
				case err != nil:
					if d.Cmd == "many" || d.Cmd == "tree" {
						d.Fatalf(t, "%s\nis refused: %v", sql, err)
					}
					fmt.Fprintf(&out, "%v\n", err)
					continue
				case d.Cmd == "refuse":
					d.Fatalf(t, "%s\nis accepted as %s", sql, Format(st))
				case d.Cmd == "tree":
					fmt.Fprintln(&out, sexpr(st))
				default:
					fmt.Fprintln(&out, Format(st))
				}
				again, err := Parse(Format(st))
				require.NoError(t, err)
				require.Equal(t, Format(st), Format(again))
			}
			return out.String()
		})
	})
	require.Greater(t, statements, 400)
}

// corpusStatements returns the inputs of the golden files.
func corpusStatements(t testing.TB) []string {
	files, err := filepath.Glob("testdata/corpus/*")
	require.NoError(t, err)
	var list []string
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var lines []string
		state := "" // the command whose input is being read
		flush := func() {
			if state == "many" || state == "refuse" {
				list = append(list, lines...)
			} else if len(lines) > 0 {
				list = append(list, strings.Join(lines, "\n"))
			}
			lines, state = nil, ""
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			switch {
			case state == "" && (line == "parse" || line == "tree" || line == "many" || line == "refuse"):
				state = line
			case line == "----":
				flush()
			case state != "":
				lines = append(lines, line)
			}
		}
	}
	return list
}
