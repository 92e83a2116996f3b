// Package layering keeps the picture in docs/ARCHITECTURE.md true: which package may use which, how large a
// folder may grow, and what the table of packages says.
package layering

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan/rewrite"
)

var write = flag.Bool("rewrite", false, "write the tables of docs/ARCHITECTURE.md anew")

// floors are all packages of the product, the highest floor first. A package uses packages of lower floors only: not those
// above, and not its neighbours on the same floor. A new package gets a place here, which decides what it may use.
var floors = [][]string{
	{"cmd/lanceflight"},
	{"flightsrv"},
	{"flightsrv/ticketpb"},
	{"sqlplan"},
	{"sqlplan/exec"},
	{"sqlplan/exec/search", "sqlplan/exec/agg", "sqlplan/exec/join", "sqlplan/exec/order"},
	{"sqlplan/exec/scan"},
	{"sqlplan/exec/op"},
	{"sqlplan/bind", "sqlplan/rewrite"},
	{"sqlplan/indexes"},
	{"sqlplan/plan"},
	{"sqlplan/question", "sqlplan/settings"},
	{"sqlplan/catalog"},
	{"sqlplan/expr/fn"},
	{"sqlplan/expr"},
	{"sqlplan/expr/arith", "sqlplan/expr/compare", "sqlplan/expr/match"},
	{"sqlplan/expr/cast"},
	{"sqlplan/expr/value"},
	{"sqlplan/parse", "sqlplan/kernel"},
	{"check", "inspect"},
	{"vecindex/lanceidx/build"},
	{"vecindex/lanceidx"},
	{"vecindex/lanceidx/indexpb"},
	{"lancefmt"},
	{"lancefmt/index"},
	{"lancefmt/table"},
	{"lancefmt/file"},
	{"lancefmt/encoding/v01", "lancefmt/encoding/v20", "lancefmt/encoding/v21"},
	{"lancefmt/encoding/v23"},
	{
		"lancefmt/encoding/bitpack", "lancefmt/encoding/bss", "lancefmt/encoding/fsst", "lancefmt/encoding/general",
		"lancefmt/encoding/jsonb", "lancefmt/encoding/levels", "lancefmt/encoding/rle", "lancefmt/encoding/variable",
	},
	{"lancefmt/encoding"},
	{"lancefmt/pb/enc20pb", "lancefmt/pb/enc23pb", "lancefmt/pb/tablepb"},
	{"lancefmt/pb/enc21pb", "lancefmt/pb/filepb"},
	{"lancefmt/storage/stores", "lancefmt/storage/faulty"},
	{"lancefmt/storage/local", "lancefmt/storage/mem"},
	{"lancefmt/storage"},
	{"vecindex/calibrate", "vecindex/ivf"},
	{"vecindex"},
	{"vecindex/quantize", "vecindex/hnsw"},
	{"vecindex/kmeans"},
	{"vecindex/distance"},
	{"internal/gather", "internal/mmap", "internal/sample"},
	{
		"internal/cache", "internal/fault", "internal/half", "internal/hexdump", "internal/parallel", "internal/prefetch",
		"internal/recycle", "internal/sqlname",
	},
}

type pkg struct {
	path    string // without the module's name
	doc     string // first sentence of its documentation
	imports []string
	files   []string // that are not tests
}

// packages lists the packages of the module, sorted by path.
func packages(t *testing.T) []pkg {
	t.Helper()
	const fields = `{{.ImportPath}}{{"\t"}}{{.Doc}}{{"\t"}}{{join .Imports " "}}{{"\t"}}{{join .GoFiles " "}}`
	out, err := exec.Command("go", "list", "-f", fields, "lanceflight/...").Output()
	require.NoError(t, err)
	var all []pkg
	for _, line := range strings.Split(strings.Trim(string(out), "\n"), "\n") {
		parts := strings.Split(line, "\t")
		require.Len(t, parts, 4, line)
		p := pkg{path: strings.TrimPrefix(parts[0], "lanceflight/"), doc: parts[1], files: strings.Fields(parts[3])}
		for _, imp := range strings.Fields(parts[2]) {
			if ours, ok := strings.CutPrefix(imp, "lanceflight/"); ok {
				p.imports = append(p.imports, ours)
			}
		}
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}

// product reports whether a package is part of what is built, and not a test's or a benchmark's helper.
func product(path string) bool {
	return !strings.HasPrefix(path, "bench/") && !strings.HasPrefix(path, "integration") && !strings.HasSuffix(path, "test") &&
		path != "internal/fixtures" && path != "internal/layering" && path != "internal/docs"
}

func TestImportsPointDown(t *testing.T) {
	floor := map[string]int{}
	for i, f := range floors {
		for _, p := range f {
			floor[p] = i
		}
	}
	seen := map[string]bool{}
	for _, p := range packages(t) {
		seen[p.path] = true
		if !product(p.path) {
			continue
		}
		from, known := floor[p.path]
		if !known {
			t.Errorf("%s has no place in the list of floors: give it one", p.path)
			continue
		}
		for _, imp := range p.imports {
			if to, known := floor[imp]; known && to <= from {
				t.Errorf("%s imports %s, which is not below it", p.path, imp)
			}
			if !product(imp) {
				t.Errorf("%s imports %s, which is for tests only", p.path, imp)
			}
		}
	}
	for p := range floor {
		if !seen[p] {
			t.Errorf("the list of floors has %s, which does not exist", p)
		}
	}
}

// maxFiles bounds a folder to what can be seen at once. Generated files and tests do not count.
const maxFiles = 26

func TestFoldersAreSmall(t *testing.T) {
	for _, p := range packages(t) {
		n := 0
		for _, f := range p.files {
			if !strings.HasSuffix(f, ".pb.go") {
				n++
			}
		}
		if n > maxFiles {
			t.Errorf("%s has %d files that are not tests; %d is the most that can be seen at once", p.path, n, maxFiles)
		}
	}
}

// TestPackageTable compares the table of packages in docs/ARCHITECTURE.md with what the code says: the first sentence of
// each package's documentation, and its imports.
func TestPackageTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| package | what it is for | uses |\n| --- | --- | --- |\n")
	for _, p := range packages(t) {
		if !product(p.path) {
			continue
		}
		require.NotEmpty(t, p.doc, "%s has no package documentation", p.path)
		name := p.path[strings.LastIndex(p.path, "/")+1:]
		what := strings.TrimPrefix(strings.TrimPrefix(p.doc, "Package "+name+" "), "Command "+name+" ")
		uses := "–"
		if len(p.imports) > 0 {
			uses = strings.Join(p.imports, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.path, strings.ReplaceAll(what, "|", "\\|"), uses)
	}
	compareTable(t, "packages", b.String())
}

// TestRewriteTable compares the table of rewrites in docs/ARCHITECTURE.md with the one that runs them.
func TestRewriteTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| rewrite | what it does |\n| --- | --- |\n")
	for _, p := range rewrite.Passes() {
		require.FileExists(t, filepath.Join("..", "..", "sqlplan", "rewrite", p[0]+".go"), "each rewrite is in a file of its name")
		fmt.Fprintf(&b, "| `%s` | %s |\n", p[0], p[1])
	}
	compareTable(t, "rewrites", b.String())
}

// compareTable compares a table of docs/ARCHITECTURE.md with what it should be, or writes it.
func compareTable(t *testing.T, name, want string) {
	t.Helper()
	start := "<!-- " + name + ": written by go test ./internal/layering -rewrite -->\n"
	end := "<!-- end of " + name + " -->\n"
	path := filepath.Join("..", "..", "docs", "ARCHITECTURE.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), start)
	require.True(t, ok, "docs/ARCHITECTURE.md has no place for the table of %s", name)
	have, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *write {
		require.NoError(t, os.WriteFile(path, []byte(before+start+want+end+after), 0o644))
		return
	}
	if diff := cmp.Diff(strings.Split(have, "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("docs/ARCHITECTURE.md is out of date: run go test ./internal/layering -rewrite\n%s", diff)
	}
}

// TestVecindexReadsFilesInOnePlace: only lanceidx knows how index files lie on disk.
func TestVecindexReadsFilesInOnePlace(t *testing.T) {
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.path, "vecindex") || strings.HasPrefix(p.path, "vecindex/lanceidx") {
			continue
		}
		require.False(t, slices.ContainsFunc(p.imports, func(i string) bool { return strings.HasPrefix(i, "lancefmt") }), p.path)
	}
}
