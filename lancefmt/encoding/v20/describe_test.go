package v20_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v20"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
)

// FuzzDescribe explains pages whose encoding and buffer are arbitrary: bounded output, within the buffers.
func FuzzDescribe(f *testing.F) {
	ctx := context.Background()
	for _, path := range fixtures.Glob(f, "encodings_v2_0.lance/data/*.lance") {
		store, err := local.Dir(filepath.Dir(path))
		require.NoError(f, err)
		obj, err := store.Open(ctx, filepath.Base(path), -1)
		require.NoError(f, err)
		r, err := file.Open(ctx, obj)
		require.NoError(f, err)
		for i := range r.NumColumns() {
			c, err := r.Column(ctx, i)
			require.NoError(f, err)
			for _, p := range c.Pages {
				f.Add(p.Encoding, []byte("some bytes that stand for values"), uint8(len(p.BufRanges)))
			}
		}
		require.NoError(f, r.Close())
	}
	f.Fuzz(func(t *testing.T, enc, data []byte, buffers uint8) {
		p := &encoding.Page{NumRows: 10, Encoding: enc, TypeURL: "/lance.encodings.ArrayEncoding"}
		var bufs [][]byte
		for i := range int64(buffers % 8) {
			bufs = append(bufs, data)
			p.BufRanges = append(p.BufRanges, storage.Range{Offset: i * int64(len(data)), Length: int64(len(data))})
		}
		require.LessOrEqual(t, len(v20.Summary(p)), 1<<16+64*len(enc))
		for _, s := range v20.Describe(p, bufs, 50) {
			require.LessOrEqual(t, len(s.Lines), 50)
			for _, l := range s.Lines {
				require.LessOrEqual(t, l.Offset+l.Length, s.Offset+s.Length)
				require.LessOrEqual(t, len(l.Hex), 32)
			}
		}
	})
}
