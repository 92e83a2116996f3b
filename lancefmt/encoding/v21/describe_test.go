package v21_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v21"
	"lanceflight/lancefmt/storage"
)

// FuzzDescribe explains pages whose encoding and buffers are arbitrary: bounded output, within the buffers.
func FuzzDescribe(f *testing.F) {
	for _, s := range seeds(f) {
		if s.url == "/lance.encodings23.PlanarLayout" {
			s.rows = -s.rows
		}
		f.Add(s.encoding, s.buffers, s.rows)
	}
	f.Fuzz(func(t *testing.T, enc, buffers []byte, rows int64) {
		p := &encoding.Page{NumRows: max(0, rows) & (1<<48 - 1), Encoding: enc, TypeURL: "/lance.encodings21.PageLayout"}
		if rows < 0 {
			p.NumRows, p.TypeURL = -rows&(1<<48-1), "/lance.encodings23.PlanarLayout"
		}
		var bufs [][]byte
		at := int64(1000)
		for len(buffers) >= 2 && len(bufs) < 8 {
			n := min(int(binary.BigEndian.Uint16(buffers)), len(buffers)-2)
			bufs = append(bufs, buffers[2:2+n])
			p.BufRanges = append(p.BufRanges, storage.Range{Offset: at, Length: int64(n)})
			at += int64(n)
			buffers = buffers[2+n:]
		}
		require.LessOrEqual(t, len(v21.Summary(p)), 1<<16+4*len(enc))
		for _, s := range v21.Describe(p, bufs, 50) {
			require.LessOrEqual(t, len(s.Lines), 50)
			for _, l := range s.Lines {
				require.LessOrEqual(t, l.Offset+l.Length, s.Offset+s.Length)
				require.LessOrEqual(t, len(l.Hex), 32)
			}
		}
	})
}
