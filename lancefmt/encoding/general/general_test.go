package general

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func packLZ4(t testing.TB, b []byte) []byte {
	out := make([]byte, 4+lz4.CompressBlockBound(len(b)))
	binary.LittleEndian.PutUint32(out, uint32(len(b)))
	n, err := lz4.CompressBlock(b, out[4:], nil)
	require.NoError(t, err)
	return out[:4+n]
}

func packZstd(t testing.TB, b []byte, prefix bool) []byte {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	defer e.Close()
	var out []byte
	if prefix {
		out = binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	}
	return e.EncodeAll(b, out)
}

func TestRoundTrip(t *testing.T) {
	small := bytes.Repeat([]byte("a line of text, "), 60)
	large := bytes.Repeat([]byte{7}, 50<<20) // far beyond the first guess
	for _, want := range [][]byte{small, large, small[:100]} {
		for _, c := range []struct {
			s   Scheme
			src []byte
		}{{LZ4, packLZ4(t, want)}, {Zstd, packZstd(t, want, true)}, {Zstd, packZstd(t, want, false)}} {
			got, err := Decompress([]byte("x"), c.s, c.src, len(want))
			require.NoError(t, err)
			require.True(t, bytes.Equal(append([]byte("x"), want...), got))
			_, err = Decompress(nil, c.s, c.src, len(want)-1)
			require.Error(t, err)
			_, err = Decompress(nil, c.s, c.src[:len(c.src)-1], len(want))
			require.Error(t, err)
		}
	}
}

func TestEdges(t *testing.T) {
	got, err := Decompress(nil, Zstd, nil, 10)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = Decompress(nil, LZ4, []byte{0, 0, 0, 0}, 10)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = Decompress(nil, LZ4, []byte{0, 0, 0}, 10)
	require.Error(t, err)
	_, err = Decompress(nil, LZ4, []byte{255, 255, 255, 127, 0}, 1<<31-1)
	require.ErrorContains(t, err, "claims")
	_, err = Decompress(nil, 3, nil, 10)
	require.ErrorContains(t, err, "not supported")
	require.Error(t, Check(0))
}

func FuzzDecompress(f *testing.F) {
	f.Add([]byte{5, 0, 0, 0, 0x50, 'h', 'e', 'l', 'l', 'o'}, int32(1))
	f.Add(packZstd(f, []byte("hello hello hello hello"), true), int32(2))
	f.Add(packZstd(f, []byte("hello hello hello hello"), false), int32(2))
	f.Fuzz(func(t *testing.T, src []byte, s int32) {
		out, err := Decompress(nil, Scheme(s), src, 1<<20)
		if err == nil && len(out) > 1<<20 {
			t.Fatalf("%d bytes", len(out))
		}
	})
}
