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
