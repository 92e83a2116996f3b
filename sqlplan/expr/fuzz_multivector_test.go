package expr_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
)

// FuzzVectorsOf reads whatever a client binds, as text and as bytes: what comes out are vectors of
// the dimension asked for, of finite numbers.
func FuzzVectorsOf(f *testing.F) {
	for _, s := range []string{"[[1,2],[3,4]]", "[1, 2]", " [ [1e3, -0.5] ] ", "[]", "[[]]", "[[1,null]]", "[null]",
		"[[1,2],[3]]", "[[NaN,1]]", "[[[1]]]", "{1,2}", "\x00\x00\x80\x3f\x00\x00\x00\x40", "\x00\x00\xc0\x7f"} {
		f.Add(s, byte(2))
	}
	f.Fuzz(func(t *testing.T, s string, d byte) {
		dim := int(d % 9)
		for _, l := range []expr.Literal{{Value: s, T: arrow.BinaryTypes.String}, {Value: []byte(s), T: arrow.BinaryTypes.Binary}} {
			vectors, err := expr.VectorsOf(l, dim)
			if err != nil {
				require.NotEqual(t, fault.Internal, fault.KindOf(err), "%v", err)
				continue
			}
			require.NotEmpty(t, vectors)
			for _, v := range vectors {
				require.Len(t, v, dim)
				for _, x := range v {
					require.Zero(t, x-x)
				}
			}
		}
	})
}
