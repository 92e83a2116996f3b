package lancefmt

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/internal/mmap"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/faulty"
	"lanceflight/lancefmt/storage/local"
)

// Storage that fails below an open table: whatever has not been read yet gives an error of the right
// kind that names the file, nothing of it is remembered, and what passes by itself is not seen at all.
func TestStorageFaults(t *testing.T) {
	gone := fault.New(fault.Unavailable, "the disk does not answer")
	denied := fault.New(fault.PermissionDenied, "nobody may read this")
	for what, c := range map[string]struct {
		fault   faulty.Fault
		kind    fault.Kind
		says    string
		timeout time.Duration
	}{
		"data unavailable": {fault: faulty.Fault{Match: "data/*", OpenErr: gone}, kind: fault.Unavailable,
			says: "does not answer (after 3 attempts)"},
		"pages unavailable": {fault: faulty.Fault{Match: "data/*", ReadErr: gone}, kind: fault.Unavailable,
			says: "does not answer (after 3 attempts)"},
		"data denied": {fault: faulty.Fault{Match: "data/*", OpenErr: denied}, kind: fault.PermissionDenied, says: "fragment"},
		"pages short": {fault: faulty.Fault{Match: "data/*", CutAt: 100}, kind: fault.Corrupt, says: "data/"},
		"pages hang": {fault: faulty.Fault{Match: "data/*", Delay: time.Hour}, kind: fault.Unavailable,
			says: "no answer within"},
		"hang past the deadline": {fault: faulty.Fault{Match: "data/*", Delay: time.Hour}, kind: fault.DeadlineExceeded,
			timeout: 5 * time.Millisecond},
		"deletions unavailable": {fault: faulty.Fault{Match: "_deletions/*", ReadErr: gone}, kind: fault.Unavailable,
			says: "does not answer"},
		"deletions short": {fault: faulty.Fault{Match: "_deletions/*", CutAt: 9}, kind: fault.Corrupt, says: "_deletions/"},
		"manifest unavailable": {fault: faulty.Fault{Match: "_versions/*", OpenErr: gone}, kind: fault.Unavailable,
			says: "does not answer"},
		"manifest denied": {fault: faulty.Fault{Match: "_versions/*", OpenErr: denied},
			kind: fault.PermissionDenied, says: "nobody"},
		"manifest short":    {fault: faulty.Fault{Match: "_versions/*", CutAt: 20}, kind: fault.Corrupt, says: "_versions/"},
		"a passing failure": {fault: faulty.Fault{ReadErr: gone, Times: 1}},
		"another one":       {fault: faulty.Fault{OpenErr: gone, Times: 1}},
		"a passing silence": {fault: faulty.Fault{Match: "data/*", Delay: time.Hour, Times: 1}},
	} {
		t.Run(what, func(t *testing.T) {
			local, err := local.Dir(fixtures.Path(t, "deletions_arrow_and_bitmap.lance"))
			require.NoError(t, err)
			failing := faulty.Wrap(local)
			tab, err := OpenStore(ctx, storage.NewRetrying(failing, storage.RetryOptions{Attempts: 3,
				Backoff: time.Microsecond, AttemptTimeout: 50 * time.Millisecond}), Options{})
			require.NoError(t, err)
			mem := checked(t)
			failing.Add(c.fault)
			within := ctx
			if c.timeout > 0 {
				var cancel context.CancelFunc
				within, cancel = context.WithTimeout(ctx, c.timeout)
				defer cancel()
			}
			rows, err := readKeys(within, tab, mem)
			if c.says == "" && c.timeout == 0 {
				require.NoError(t, err)
				require.Positive(t, rows)
			} else {
				require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
				require.ErrorContains(t, err, c.says)
			}
			failing.Clear() // all is well again, and so is the table
			again, err := readKeys(ctx, tab, mem)
			require.NoError(t, err)
			require.Positive(t, again)
			require.NoError(t, tab.Close())
			require.Zero(t, mmap.Open())
		})
	}
}

// readKeys reads all that a query of the column "key" reads.
func readKeys(ctx context.Context, tab *Table, mem memory.Allocator) (rows int64, err error) {
	s, err := tab.Snapshot(ctx, Ref{})
	if err != nil {
		return 0, err
	}
	for _, f := range s.Fragments() {
		if _, err := f.Deleted(ctx); err != nil {
			return 0, err
		}
		b, err := f.Read(ctx, Columns("key"), f.all(), mem)
		if err != nil {
			return 0, err
		}
		rows += b.NumRows()
		b.Release()
	}
	return rows, nil
}

// Files that vanish under a snapshot: those that are mapped stay readable, for the others the error
// says which version needs them.
func TestFilesVanishUnderASnapshot(t *testing.T) {
	dir := copyOf(t, "laion_history")
	tab := openAt(t, dir, Options{})
	mem := checked(t)
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	first, rest := s.Fragments()[0], s.Fragments()[1:]
	before, err := first.Read(ctx, Columns("key"), first.all(), mem)
	require.NoError(t, err)
	defer before.Release()

	files, err := filepath.Glob(filepath.Join(dir, "data", "*"))
	require.NoError(t, err)
	for _, f := range files {
		require.NoError(t, os.Remove(f))
	}
	after, err := first.Read(ctx, Columns("key"), first.all(), mem)
	require.NoError(t, err)
	defer after.Release()
	require.True(t, array.RecordEqual(before, after))

	for _, f := range rest {
		_, err := f.Read(ctx, Columns("key"), f.all(), mem)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
		require.ErrorContains(t, err, "data/")
		require.True(t, strings.Contains(err.Error(), "version") && strings.Contains(err.Error(), "is gone"), "%v", err)
	}
}
