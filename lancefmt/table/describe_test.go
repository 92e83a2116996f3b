package table_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/table"
)

// FuzzDescribe explains manifests, deletion files and transactions of arbitrary bytes: bounded output, within
// the bytes.
func FuzzDescribe(f *testing.F) {
	for _, pattern := range []string{"laion_v2_2.lance/_versions/*.manifest", "laion_stable_row_ids.lance/_versions/*.manifest",
		"deletions_arrow_and_bitmap.lance/_deletions/*", "laion_v2_2.lance/_transactions/*"} {
		for _, path := range fixtures.Glob(f, pattern) {
			data, err := os.ReadFile(path)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, sections := range [][]hexdump.Section{
			table.DescribeManifest(data, 50), table.DescribeTransaction(data, 50),
			table.DescribeDeletions(table.DeletionArrow, data, 50), table.DescribeDeletions(table.DeletionBitmap, data, 50),
		} {
			require.LessOrEqual(t, len(sections), 4)
			for _, s := range sections {
				require.LessOrEqual(t, len(s.Lines), 50)
				for _, l := range s.Lines {
					require.LessOrEqual(t, l.Offset+l.Length, max(s.Offset+s.Length, int64(len(data))))
				}
			}
		}
	})
}
