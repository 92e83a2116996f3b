package hexdump

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt/pb/filepb"
)

func TestLinesOfAllKinds(t *testing.T) {
	data := []byte{1, 2, 0, 'a', 'b', 'c', 0, 0}
	data = append(data, []byte(strings.Repeat("0123456789abcdef", 6))...)
	data = append(data, 9)
	d := New("buffer 0", data, 1000, int64(len(data))+5, 0)
	d.Uint(1, "one")
	d.UintAs(2, "two", func(v uint64) string { return "which is even" })
	d.Nest(func() { d.Bytes(3, "letters") })
	d.Pad(8)
	d.Block(96, "values")
	d.Uint(8, "a number")
	var out strings.Builder
	require.NoError(t, WriteText(&out, []Section{d.Section()}))
	require.Equal(t, `buffer 0: 110 bytes at 1000
        1000  01                                one: 1
        1001  0200                              two: 2, which is even
        1003  616263                              letters
        1006  0000                              padding
        1008  30313233343536373839616263646566  values
        1024  30313233343536373839616263646566  0123456789abcdef
        1040  30313233343536373839616263646566  0123456789abcdef
        1056  30313233343536373839616263646566  0123456789abcdef
        1072                                    … 32 more bytes
        1104                                    a number: 8 bytes, of which 1 are looked at
  … 5 more bytes
`, out.String())
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{10, 4, 10, 2, 8, 1, 16, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := New("message", data, 0, int64(len(data)), 100)
		d.Message(len(data), (&filepb.ColumnMetadata{}).ProtoReflect().Descriptor(), nil)
		s := d.Section()
		require.LessOrEqual(t, len(s.Lines), 100)
		for _, l := range s.Lines {
			require.LessOrEqual(t, l.Offset+l.Length, int64(len(data)))
			require.LessOrEqual(t, len(l.Meaning), maxMeaning+4)
		}
	})
}
