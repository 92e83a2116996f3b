package fsst

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// table builds a symbol table.
func table(on bool, symbols ...string) []byte {
	b := make([]byte, tableBytes)
	header := uint64(magic)<<32 | uint64(len(symbols))
	if on {
		header |= switchBit
	}
	binary.LittleEndian.PutUint64(b, header)
	for i, s := range symbols {
		copy(b[8+8*i:], s)
		b[8+8*len(symbols)+i] = byte(len(s))
	}
	return b
}

func decode(t *testing.T, d *Decoder, src []byte) (string, error) {
	dst := make([]byte, d.MaxLen(len(src)))
	n, err := d.Decode(dst, src)
	return string(dst[:n]), err
}

func TestDecode(t *testing.T) {
	d, err := New(table(true, "http://", "www.", "e", "12345678"))
	require.NoError(t, err)
	got, err := decode(t, d, []byte{0, 1, 255, 'x', 2, 3, 255, 255})
	require.NoError(t, err)
	require.Equal(t, "http://www.xe12345678\xff", got)
	got, err = decode(t, d, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = decode(t, d, []byte{4})
	require.ErrorContains(t, err, "code 4")
	_, err = decode(t, d, []byte{0, 255})
	require.ErrorContains(t, err, "escape")
	_, err = d.Decode(make([]byte, 8), []byte{0, 0})
	require.Error(t, err)
}

func TestPlain(t *testing.T) {
	d, err := New(table(false))
	require.NoError(t, err)
	require.True(t, d.Plain())
	got, err := decode(t, d, []byte("as it is \xff"))
	require.NoError(t, err)
	require.Equal(t, "as it is \xff", got)
}

func TestBadTable(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, tableBytes), table(true, "ok", strings.Repeat("x", 8))[:100]} {
		_, err := New(b)
		require.Error(t, err)
	}
	b := table(true, "a", "b")
	b[8+16] = 9
	_, err := New(b)
	require.ErrorContains(t, err, "9 bytes")
	b[8+16] = 0
	_, err = New(b)
	require.ErrorContains(t, err, "0 bytes")
}

func FuzzDecode(f *testing.F) {
	f.Add(table(true, "abc", "d"), []byte{0, 1, 255, 7})
	f.Add(table(false), []byte{0, 1, 255, 7})
	f.Fuzz(func(t *testing.T, tab, src []byte) {
		d, err := New(tab)
		if err != nil {
			return
		}
		dst := make([]byte, d.MaxLen(len(src)))
		n, err := d.Decode(dst, src)
		if err == nil && n > Expansion*len(src) {
			t.Fatalf("%d bytes from %d", n, len(src))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	d, err := New(table(true, "http://", "www.", "e", "12345678", "abcd", "the ", "an", "r"))
	require.NoError(b, err)
	src := make([]byte, 4096)
	for i := range src {
		src[i] = byte(i * 5 % 8)
	}
	dst := make([]byte, d.MaxLen(len(src)))
	n, _ := d.Decode(dst, src)
	b.SetBytes(int64(n))
	for b.Loop() {
		_, _ = d.Decode(dst, src)
	}
}
