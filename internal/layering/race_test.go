package layering

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPackagesWithoutRaceRunAreSequential checks what lets the Makefile leave sqlplan/parse out of
// test-race: neither the package, nor its tests, nor what it imports of this module starts a goroutine,
// runs tests in parallel, or uses a package that the race detector's build would check.
func TestPackagesWithoutRaceRunAreSequential(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-test", "-f", "{{if not .Standard}}{{.ImportPath}} {{.Dir}}{{end}}",
		"lanceflight/sqlplan/parse").Output()
	require.NoError(t, err)
	folders := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(name, "lanceflight/") && !strings.HasSuffix(name, ".test") {
			folders[rest[strings.LastIndex(rest, " ")+1:]] = true // "[…test] /folder" for the package with its tests
		}
	}
	require.NotEmpty(t, folders)
	seen := 0
	for folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") && filepath.Base(folder) != "parse" {
				continue
			}
			seen++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			require.NoError(t, err)
			for _, i := range file.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				require.NoError(t, err)
				switch name {
				case "unsafe", "sync/atomic", "golang.org/x/sync/errgroup", "lanceflight/internal/parallel", "lanceflight/internal/prefetch":
					require.Fail(t, "not sequential", "%s imports %s: test it under the race detector, see RACE_PACKAGES in the Makefile", path, name)
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					require.Fail(t, "not sequential", "%s starts a goroutine: test it under the race detector, see RACE_PACKAGES in the Makefile", path)
				case *ast.SelectorExpr:
					require.NotEqual(t, "Parallel", n.Sel.Name, "%s runs in parallel: see RACE_PACKAGES in the Makefile", path)
				}
				return true
			})
		}
	}
	require.Greater(t, seen, 5)
}
