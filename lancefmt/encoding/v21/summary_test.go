package v21

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/storage"
)

// TestSummaryOfConstantPages tells a page of NULLs from one whose value lies in a buffer, as that of a long text does.
func TestSummaryOfConstantPages(t *testing.T) {
	buffers := func(lengths ...int64) (list []storage.Range) {
		for _, n := range lengths {
			list = append(list, storage.Range{Length: n})
		}
		return list
	}
	for _, x := range []struct {
		inline []byte
		bufs   []storage.Range
		want   string
	}{
		{nil, nil, "constant(null)"},
		{nil, buffers(4, 8), "constant(null)"},
		{[]byte{1, 2, 3, 4}, nil, "constant(value of 4 bytes)"},
		{[]byte{}, buffers(4, 8), "constant(value of 0 bytes)"},
		{nil, buffers(37), "constant(value in a buffer of 37 bytes)"},
		{nil, buffers(37, 4, 8), "constant(value in a buffer of 37 bytes)"},
	} {
		data, err := proto.Marshal(&enc21pb.PageLayout{Layout: &enc21pb.PageLayout_ConstantLayout{
			ConstantLayout: &enc21pb.ConstantLayout{InlineValue: x.inline}}})
		require.NoError(t, err)
		require.Equal(t, x.want, Summary(&encoding.Page{TypeURL: "/lance.encodings21.PageLayout", Encoding: data, BufRanges: x.bufs}))
	}
}
