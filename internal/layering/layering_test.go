// Package layering keeps the picture of docs/ARCHITECTURE.md true: imports point one way.
package layering

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layer orders the packages; a package may import its own layer's folder and lower layers only.
var layers = []string{"cmd", "flightsrv", "sqlplan", "inspect", "check", "vecindex", "lancefmt"}

// within lists imports between folders of one layer that are forbidden, as prefix -> prefixes.
var within = map[string][]string{
	"sqlplan/parse":        {"sqlplan"},
	"sqlplan/expr":         {"sqlplan/question", "sqlplan/plan", "sqlplan/exec", "sqlplan/catalog", "lancefmt", "vecindex/lanceidx"},
	"sqlplan/expr/value":   {"sqlplan/parse", "sqlplan/expr"},
	"sqlplan/expr/match":   {"sqlplan/expr/cast", "sqlplan/expr/arith", "sqlplan/expr/compare", "sqlplan/expr/fn"},
	"sqlplan/expr/cast":    {"sqlplan/expr/arith", "sqlplan/expr/compare", "sqlplan/expr/match", "sqlplan/expr/fn"},
	"sqlplan/expr/arith":   {"sqlplan/expr/compare", "sqlplan/expr/match", "sqlplan/expr/fn"},
	"sqlplan/expr/compare": {"sqlplan/expr/arith", "sqlplan/expr/match", "sqlplan/expr/fn"},
	"sqlplan/question":     {"sqlplan/plan", "sqlplan/exec", "sqlplan/catalog"},
	"sqlplan/plan":         {"sqlplan/bind", "sqlplan/rewrite", "sqlplan/exec", "vecindex/lanceidx"},
	"sqlplan/bind":         {"sqlplan/rewrite", "sqlplan/exec"},
	"sqlplan/rewrite":      {"sqlplan/bind", "sqlplan/exec"},
	"vecindex/distance":    {"vecindex", "lancefmt"},
	"vecindex/quantize":    {"lancefmt", "vecindex/lanceidx"},
	"vecindex/ivf":         {"lancefmt", "vecindex/lanceidx"},
	"lancefmt/encoding":    {"lancefmt/file", "lancefmt/table"},
	"lancefmt/file":        {"lancefmt/table"},
	"lancefmt/storage":     {"lancefmt/file", "lancefmt/table", "lancefmt/encoding"},
	"internal/fault":       {"lancefmt", "sqlplan", "vecindex", "flightsrv"},
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "lanceflight/...").Output()
	require.NoError(t, err)
	depth := func(pkg string) int {
		for i, l := range layers {
			if pkg == l || strings.HasPrefix(pkg, l+"/") {
				return i
			}
		}
		return -1
	}
	seen := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		path, imports, _ := strings.Cut(line, ":")
		from := strings.TrimPrefix(path, "lanceflight/")
		for _, imp := range strings.Fields(imports) {
			to, ours := strings.CutPrefix(imp, "lanceflight/")
			if !ours {
				continue
			}
			seen++
			if a, b := depth(from), depth(to); a >= 0 && b >= 0 {
				require.LessOrEqual(t, a, b, "%s imports %s, which is above it", from, to)
			}
			require.False(t, strings.HasPrefix(to, "integration") || strings.HasPrefix(to, "bench"), "%s imports %s", from, to)
			for prefix, forbidden := range within {
				if from != prefix && !strings.HasPrefix(from, prefix+"/") {
					continue
				}
				for _, f := range forbidden {
					inside := to == prefix || strings.HasPrefix(to, prefix+"/")
					require.False(t, !inside && (to == f || strings.HasPrefix(to, f+"/")), "%s imports %s", from, to)
				}
			}
		}
	}
	require.Positive(t, seen)
}

// TestVecindexReadsFilesInOnePlace: only lanceidx knows how index files lie on disk.
func TestVecindexReadsFilesInOnePlace(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "lanceflight/vecindex/...").Output()
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		path, imports, _ := strings.Cut(line, ":")
		if strings.HasPrefix(path, "lanceflight/vecindex/lanceidx") {
			continue
		}
		require.NotContains(t, imports, "lanceflight/lancefmt", path)
	}
}
