package bss

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func split(values []byte, width int) []byte {
	n := len(values) / width
	out := make([]byte, len(values))
	for i := range n {
		for j := range width {
			out[j*n+i] = values[i*width+j]
		}
	}
	return out
}

func TestDecode(t *testing.T) {
	for _, width := range []int{1, 2, 4, 8, 16} {
		for _, n := range []int{0, 1, 3, 1000} {
			want := make([]byte, width*n)
			for i := range want {
				want[i] = byte(i * 7)
			}
			got := make([]byte, len(want))
			require.NoError(t, Decode(got, split(want, width), width, n))
			require.Equal(t, want, got)
		}
	}
	require.Error(t, Decode(make([]byte, 8), make([]byte, 9), 4, 2))
	require.Error(t, Decode(nil, nil, 0, 0))
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("abcdefgh"), 4, 2)
	f.Fuzz(func(t *testing.T, src []byte, width, n int) {
		dst := make([]byte, len(src))
		if Decode(dst, src, width, n) == nil {
			require.Equal(t, src, split(dst, width))
		}
	})
}
