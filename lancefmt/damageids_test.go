package lancefmt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// systemRows is what a version says of its rows beside their values.
type systemRows struct {
	err      error
	live     int64
	physical int64
	columns  int
}

// readSystem reads the stable ids and versions of the rows of the latest version, finds the rows by id again, and reads
// the history with its transactions.
func readSystem(ctx context.Context, t *testing.T, files map[string][]byte, name string, data []byte) (out systemRows) {
	mem := memory.NewCheckedAllocator(&boundedTotal{Allocator: memory.NewGoAllocator(), t: t})
	defer mem.AssertSize(t, 0)
	tab, err := OpenStore(ctx, memoryStore(files, name, data), Options{})
	if err != nil {
		return systemRows{err: err}
	}
	defer tab.Close()
	note := func(err error) bool {
		if err != nil && out.err == nil {
			out.err = err
		}
		return err == nil
	}
	_, err = tab.Versions(ctx)
	note(err)
	s, err := tab.Snapshot(ctx, Ref{})
	if !note(err) {
		return out
	}
	for _, f := range s.Fragments() {
		deleted, err := f.Deleted(ctx)
		if !note(err) {
			return out
		}
		out.physical += f.NumPhysicalRows()
		out.live += f.NumPhysicalRows()
		if deleted != nil {
			out.live -= int64(deleted.GetCardinality())
		}
		for _, column := range []string{RowIDColumn, RowAddrColumn, CreatedAtColumn, UpdatedAtColumn} {
			for _, rows := range [][]encoding.Range{f.all(), someRows(f.NumPhysicalRows())} {
				b, err := f.Read(ctx, Columns(column), rows, mem)
				if !note(err) {
					continue
				}
				if b.NumRows() != encoding.Count(rows) {
					note(errors.New("rows are missing"))
				}
				out.columns++
				b.Release()
			}
		}
	}
	return out
}

// boundedTotal fails the test if too much is allocated at a time.
type boundedTotal struct {
	memory.Allocator
	t    *testing.T
	held int
}

func (b *boundedTotal) add(n int) {
	if b.held += n; b.held > flipBytes {
		b.t.Fatalf("%d bytes are held", b.held)
	}
}

func (b *boundedTotal) Allocate(n int) []byte { b.add(n); return b.Allocator.Allocate(n) }
func (b *boundedTotal) Free(x []byte)         { b.add(-len(x)); b.Allocator.Free(x) }
func (b *boundedTotal) Reallocate(n int, x []byte) []byte {
	b.add(n - len(x))
	return b.Allocator.Reallocate(n, x)
}

// Each byte of the manifests of a table with stable row ids is changed in turn: its sequences of row ids and of versions lie
// there. Ids and versions may come out changed, as many as there are rows, or an error that says which kind.
func TestEveryByteOfRowIDsFlipped(t *testing.T) {
	files := loadFiles(t, "testdata/flips/ids.lance")
	whole := readSystem(ctx, t, files, "", nil)
	require.NoError(t, whole.err)
	require.Positive(t, whole.columns)
	require.Less(t, whole.live, whole.physical)
	flips, errs := 0, 0
	for name, file := range files {
		if !strings.HasPrefix(name, "_versions/") && !strings.HasPrefix(name, "_deletions/") {
			continue
		}
		for at := range file {
			if testing.Short() && at%23 != 0 {
				continue
			}
			for _, flip := range [][]byte{{0xff}, {1 << (at / 2 % 8)}}[at%2] {
				data := slices.Clone(file)
				data[at] ^= flip
				timed, cancel := context.WithTimeout(ctx, flipSeconds*time.Second)
				got := readSystem(timed, t, files, name, data)
				require.NoError(t, timed.Err(), "%s, byte %d ^ %#x", name, at, flip)
				cancel()
				flips++
				if got.err != nil {
					errs++
					require.NoError(t, named(got.err, name), "%s, byte %d ^ %#x", name, at, flip)
					if fault.Is(got.err, fault.Corrupt) {
						require.NotContains(t, got.err.Error(), "corrupt file:", "%s, byte %d ^ %#x: no file is named", name, at, flip)
					}
				}
			}
		}
	}
	t.Logf("%d flips, %d errors", flips, errs)
}
