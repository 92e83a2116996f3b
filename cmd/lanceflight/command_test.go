package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fixtures"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// execute runs the command line, and returns what it prints; an error follows it, with its exit status.
func execute(args ...string) string {
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	if err := root.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintf(&out, "exit %d", exitStatus(err))
		if !errors.Is(err, errFindings) {
			fmt.Fprintf(&out, ": %v", err)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestInspect(t *testing.T) { testCommands(t, "inspect") }

func TestCheck(t *testing.T) { testCommands(t, "check") }

// testCommands runs the command lines in a folder of testdata. NAME.lance is a table of the fixtures; a path
// below one may have * in it. -rewrite writes what is printed now.
func testCommands(t *testing.T, folder string) {
	fixtures.Path(t, "laion_v2_2.lance")
	dir, _ := fixtures.Dir()
	datadriven.Walk(t, filepath.Join("testdata", folder), func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				args := strings.Fields(line)
				for i, a := range args {
					if !strings.Contains(a, ".lance") {
						continue
					}
					found, err := filepath.Glob(filepath.Join(dir, a))
					if err != nil || len(found) == 0 {
						d.Fatalf(t, "no fixture %s", a)
					}
					args[i] = found[0]
				}
				out.WriteString(execute(append([]string{d.Cmd}, args...)...))
			}
			return strings.ReplaceAll(out.String(), dir+string(os.PathSeparator), "")
		})
	})
}

// TestHistoricalCommands checks and inspects tables of old writers. What check finds in them is known; of the others it says nothing.
func TestHistoricalCommands(t *testing.T) {
	findings := map[string]string{
		"v0.10.5_corrupt_schema":                          "both have the column (field 2); the first is read",
		"v0.16.0_wrong_data_version_no_fix":               "an earlier fragment has the id 1 too",
		"v0.30.0_pre_created_at_index_without_created_at": "there is no such file",
		"v0.5.9_dataset_with_fragments":                   "no such file or directory",
	}
	for _, path := range fixtures.Glob(t, "../historical/*.lance") {
		name := strings.TrimSuffix(filepath.Base(path), ".lance")
		t.Run(name, func(t *testing.T) {
			out := execute("check", path)
			if finding := findings[name]; finding != "" {
				require.Contains(t, out, finding)
				require.Contains(t, out, "exit 1")
			} else {
				require.Contains(t, out, "no errors")
				require.NotContains(t, out, "exit")
			}
			if name == "v0.5.9_dataset_with_fragments" {
				return // there is no version that can be looked at
			}
			for _, view := range []string{"", "schema", "versions", "fragments", "columns", "indexes", "transaction"} {
				out := execute(strings.Fields("inspect " + path + " " + view)...)
				if view == "transaction" && strings.Contains(out, "names no transaction file") {
					continue // very old writers kept none
				}
				require.NotContains(t, out, "exit", "%v", view)
				require.NotEmpty(t, out, "%v", view)
			}
		})
	}
}
