package file

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/storage/mem"
)

// FuzzDescribe explains files of arbitrary bytes, and their first pages: bounded output or an error.
func FuzzDescribe(f *testing.F) {
	for _, data := range append(smallFiles(f, 64<<10), legacySeeds(f)...) {
		f.Add(data)
	}
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, data []byte) {
		DescribeFooter(data, int64(len(data)))
		DescribeTable("column", data, 0, 10)
		DescribeColumn(0, data, 0, 10)
		DescribeSchema(data, 0, 10)
		store := mem.New()
		store.Put("f", data)
		obj, err := store.Open(ctx, "f", -1)
		require.NoError(t, err)
		r, err := Open(ctx, obj)
		if err != nil {
			return
		}
		defer func() { require.NoError(t, r.Close()) }()
		bounded := func(sections []hexdump.Section) {
			for _, s := range sections {
				require.LessOrEqual(t, len(s.Lines), 40)
			}
		}
		sections, err := r.Describe(ctx, 40)
		if err == nil {
			bounded(sections)
		}
		for i := range min(r.NumColumns(), 16) {
			if sections, err := r.DescribePage(ctx, i, 0, 40); err == nil {
				bounded(sections)
			}
			_, _ = r.PageSummary(ctx, i, 0)
		}
	})
}
