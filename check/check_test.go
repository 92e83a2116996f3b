package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/faulty"
	"lanceflight/lancefmt/storage/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run checks what a store has, and that nothing leaks.
func run(t testing.TB, store storage.Store, opts Options) (*Report, error) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	opts.Mem = mem
	tab, err := lancefmt.OpenStore(context.Background(), store, lancefmt.Options{})
	if err != nil {
		return nil, err
	}
	defer tab.Close()
	return Run(context.Background(), tab, opts)
}

// TestDamage checks tables that the lines of a test have damaged (see tableFiles.damage). The name of the
// command is that of the table; format=json writes JSON. -rewrite writes what is found now.
func TestDamage(t *testing.T) {
	fixtures.Path(t, "laion_v2_2.lance")
	datadriven.Walk(t, "testdata/damage", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			files := loadTable(t, d.Cmd)
			for line := range strings.Lines(d.Input) {
				if err := files.damage(line); err != nil {
					d.Fatalf(t, "%s: %v", line, err)
				}
			}
			opts := Options{Workers: 4}
			var format string
			for _, arg := range d.CmdArgs {
				switch arg.Key {
				case "format":
					format = arg.Vals[0]
				case "version":
					arg.Scan(t, 0, &opts.Ref.Version)
				case "tag":
					opts.Ref.Tag = arg.Vals[0]
				case "branch":
					opts.Ref.Branch = arg.Vals[0]
				case "max":
					arg.Scan(t, 0, &opts.MaxProblems)
				}
			}
			r, err := run(t, files.store(), opts)
			if err != nil {
				return "not checked: " + err.Error() + "\n"
			}
			opts.Workers = 1
			again, err := run(t, files.store(), opts)
			require.NoError(t, err)
			require.Equal(t, r, again, "the report depends on the number of workers")
			var out bytes.Buffer
			if format == "json" {
				e := json.NewEncoder(&out)
				e.SetIndent("", "  ")
				require.NoError(t, e.Encode(r))
			} else {
				require.NoError(t, r.WriteText(&out))
			}
			// The protobuf library varies the space in its messages from build to build.
			return strings.NewReplacer("\n\n", "\n", "\u00a0", " ").Replace(out.String())
		})
	})
}

// TestWholeTables: what pylance wrote has no errors.
func TestWholeTables(t *testing.T) {
	fixtures.Path(t, "laion_v2_2.lance")
	dir, _ := fixtures.Dir()
	var tables []string
	for _, pattern := range []string{filepath.Join(dir, "*.lance"), "testdata/*.lance", "../lancefmt/testdata/*.lance",
		"../lancefmt/testdata/damage/*.lance"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		tables = append(tables, found...)
	}
	require.NotEmpty(t, tables)
	for _, table := range tables {
		t.Run(filepath.Base(table), func(t *testing.T) {
			t.Parallel()
			store, err := local.Dir(table)
			require.NoError(t, err)
			r, err := run(t, store, Options{})
			require.NoError(t, err)
			for _, p := range r.Problems {
				if p.Code != BadTransaction { // the tables of lancefmt were stored without
					require.Equal(t, NotSupported, p.Code, "%+v", p)
				}
				require.Equal(t, Warning, p.Severity)
			}
			if r.Checked.Warnings == 0 && r.Checked.Rows > 0 {
				require.Positive(t, r.Checked.Pages)
				require.Positive(t, r.Checked.Decoded)
			}
			require.True(t, r.OK)
			require.Empty(t, r.Unreferenced)
		})
	}
}

// TestWhatFailsToReadIsFound flips bytes: where a scan fails, check finds an error, and it never panics.
func TestWhatFailsToReadIsFound(t *testing.T) {
	for _, name := range []string{"wide_v2_0", "wide_v2_1", "wide_v2_2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := loadTable(t, name)
			for file, data := range files {
				for at := len(file) % 61; at < len(data); at += 61 {
					broken := bytes.Clone(data)
					broken[at] ^= 0xff
					store := files.store()
					store.Put(file, broken)
					failed := scanFails(store)
					r, err := run(t, store, Options{Workers: 1})
					if err != nil {
						require.Error(t, failed, "%s, byte %d: %v", file, at, err)
						continue
					}
					if failed != nil && !fault.Is(failed, fault.Unsupported) {
						require.False(t, r.OK, "%s, byte %d: %v, and nothing was found", file, at, failed)
					}
				}
			}
		})
	}
}

// scanFails reads all columns of the latest version.
func scanFails(store storage.Store) error {
	ctx := context.Background()
	tab, err := lancefmt.OpenStore(ctx, store, lancefmt.Options{})
	if err != nil {
		return err
	}
	defer tab.Close()
	s, err := tab.Snapshot(ctx, lancefmt.Ref{})
	if err != nil {
		return err
	}
	var names []string
	for _, f := range s.Fields() {
		names = append(names, f.Name)
	}
	for _, f := range s.Fragments() {
		if _, err := f.Deleted(ctx); err != nil {
			return err
		}
		b, err := f.Read(ctx, lancefmt.Columns(names...), allRows(f), memory.NewGoAllocator())
		if err != nil {
			return err
		}
		b.Release()
	}
	return nil
}

func TestStorageThatFails(t *testing.T) {
	files := loadTable(t, "wide_v2_1")
	broken := errors.New("the disk says no")
	failing := faulty.Wrap(files.store(), faulty.Fault{Match: "data/*", ReadErr: fault.New(fault.Unavailable, "read: %w", broken)})
	r, err := run(t, failing, Options{})
	require.NoError(t, err)
	require.False(t, r.OK)
	for _, p := range r.Problems {
		require.Equal(t, Unreadable, p.Code)
		require.Contains(t, p.Message, broken.Error())
	}
}

func TestInterrupted(t *testing.T) {
	tab, err := lancefmt.OpenStore(context.Background(), loadTable(t, "wide_v2_2").store(), lancefmt.Options{})
	require.NoError(t, err)
	defer tab.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var seen []int64
	_, err = Run(ctx, tab, Options{Workers: 1, Progress: func(done, total int64) {
		require.LessOrEqual(t, done, total)
		seen = append(seen, done)
		cancel()
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, seen, 1)
}

func TestProblemsAreBounded(t *testing.T) {
	files := loadTable(t, "wide_v2_1")
	for name := range files {
		if strings.HasPrefix(name, "data/") {
			delete(files, name)
		}
	}
	r, err := run(t, files.store(), Options{MaxProblems: 1})
	require.NoError(t, err)
	require.Len(t, r.Problems, 1)
	require.Equal(t, r.Checked.Errors-1, r.LeftOut)
}
