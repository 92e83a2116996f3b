package lancefmt

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// Every fixture is read, each version and each column of it, all rows and no errors, but for those of the
// storage versions that readable leaves out, which are refused.
func TestEveryFixtureIsRead(t *testing.T) {
	tables(t, func(t *testing.T, name string, want answers) {
		tab := open(t, name)
		defer tab.Close()
		if !readable(want.StorageVersion) {
			_, err := tab.Snapshot(ctx, Ref{})
			require.Equal(t, fault.Unsupported, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, "storage version "+want.StorageVersion)
			return
		}
		versions, err := tab.Versions(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, versions)
		mem := checked(t)
		for _, v := range versions {
			s, err := tab.Snapshot(ctx, Ref{Version: v.Version})
			require.NoError(t, err)
			rows := int64(0)
			scan(t, s, Columns(names(s)...), mem, func(b arrow.RecordBatch) { rows += b.NumRows() })
			require.Equal(t, s.NumRows(), rows)
		}
	})
}
