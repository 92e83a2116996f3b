package table_test

import (
	"os"
	"path/filepath"
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
	f.Fuzz(func(t *testing.T, data []byte) { checkDescriptions(t, data) })
}

func checkDescriptions(t *testing.T, data []byte) {
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
}

// Each byte of transactions, which nothing but descriptions reads, of deletion files and of manifests is changed in turn.
func TestDescribeEveryByteFlipped(t *testing.T) {
	for _, folder := range []string{"_transactions", "_deletions", "_versions"} {
		paths, err := filepath.Glob(filepath.Join("..", "testdata", "flips", "ids.lance", folder, "*"))
		require.NoError(t, err)
		require.NotEmpty(t, paths)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			for at := range data {
				if testing.Short() && at%23 != 0 {
					continue
				}
				for _, flip := range []byte{0xff, 1 << (at % 8)} {
					data[at] ^= flip
					checkDescriptions(t, data)
					data[at] ^= flip
				}
			}
		}
	}
}
