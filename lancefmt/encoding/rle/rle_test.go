package rle

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExpand(t *testing.T) {
	lengths := []int{3, 1, 200, 9}
	for _, vb := range []int{1, 2, 4, 8} {
		for _, lb := range []int{1, 2, 4} {
			var values, lens, want []byte
			for i, l := range lengths {
				v := binary.LittleEndian.AppendUint64(nil, 0x0102030405060708*uint64(i+1))[:vb]
				values = append(values, v...)
				lens = append(lens, binary.LittleEndian.AppendUint32(nil, uint32(l))[:lb]...)
				for range l {
					want = append(want, v...)
				}
			}
			r, err := New(values, lens, vb, lb)
			require.NoError(t, err)
			n, err := r.Count()
			require.NoError(t, err)
			require.EqualValues(t, 213, n)
			got := make([]byte, len(want))
			require.NoError(t, r.Expand(got, 213, false))
			require.Equal(t, want, got)
			require.ErrorContains(t, r.Expand(make([]byte, 214*vb), 214, true), "213 values instead of 214")
			require.ErrorContains(t, r.Expand(got, 204, false), "more than")
			require.ErrorContains(t, r.Expand(got, 210, false), "more than")
			got = got[:210*vb]
			require.NoError(t, r.Expand(got, 210, true))
			require.Equal(t, want[:210*vb], got)
		}
	}
}

func TestCorrupt(t *testing.T) {
	_, err := New(make([]byte, 3), []byte{1}, 2, 1)
	require.Error(t, err)
	_, err = New(make([]byte, 4), []byte{1}, 2, 1)
	require.Error(t, err)
	_, err = New(nil, nil, 3, 1)
	require.ErrorContains(t, err, "not supported")
	_, err = New(nil, nil, 1, 8)
	require.ErrorContains(t, err, "not supported")
	r, err := New([]byte{1, 2}, []byte{1, 0}, 1, 1)
	require.NoError(t, err)
	_, err = r.Count()
	require.ErrorContains(t, err, "length 0")
	require.ErrorContains(t, r.Expand(make([]byte, 2), 2, true), "length 0")
	_, _, err = SplitFrame(make([]byte, 7))
	require.Error(t, err)
	_, _, err = SplitFrame([]byte{2, 0, 0, 0, 0, 0, 0, 0, 1})
	require.Error(t, err)
}

func FuzzExpand(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 7, 3}, 1, 1, uint16(3), true)
	f.Fuzz(func(t *testing.T, frame []byte, vb, lb int, n uint16, clamp bool) {
		values, lengths, err := SplitFrame(frame)
		if err != nil {
			return
		}
		r, err := New(values, lengths, vb, lb)
		if err != nil {
			return
		}
		_, _ = r.Count()
		_ = r.Expand(make([]byte, int(n)*vb), int(n), clamp)
	})
}
