package lancefmt

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

func fromJSON(t *testing.T, mem memory.Allocator, typ arrow.DataType, text string) arrow.Array {
	a, _, err := array.FromJSON(mem, typ, strings.NewReader(text))
	require.NoError(t, err)
	return a
}

func fields(pairs ...any) (list []arrow.Field) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, arrow.Field{Name: pairs[i].(string), Type: pairs[i+1].(arrow.DataType), Nullable: true})
	}
	return list
}

func TestAssemble(t *testing.T) {
	i32, str := arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: str}
	xy := arrow.StructOf(fields("x", i32, "y", str)...)
	x, y := arrow.StructOf(fields("x", i32)...), arrow.StructOf(fields("y", str)...)
	for _, c := range []struct {
		name string
		want arrow.DataType
		have []arrow.DataType
		in   []string
		out  string
	}{
		{"one file has all", xy, []arrow.DataType{xy}, []string{`[{"x":1,"y":"a"},null]`}, `[{"x":1,"y":"a"},null]`},
		{"a child is missing", xy, []arrow.DataType{y}, []string{`[{"y":"a"},null,{"y":null}]`},
			`[{"x":null,"y":"a"},null,{"x":null,"y":null}]`},
		{"two files", xy, []arrow.DataType{x, y}, []string{`[{"x":1},null,null]`, `[{"y":"a"},{"y":"b"},null]`},
			`[{"x":1,"y":"a"},{"x":null,"y":"b"},null]`},
		{"two files in the other order", xy, []arrow.DataType{y, x}, []string{`[{"y":"a"},null]`, `[{"x":1},{"x":2}]`},
			`[{"x":1,"y":"a"},{"x":2,"y":null}]`},
		{"lists of structs", arrow.ListOf(xy), []arrow.DataType{arrow.ListOf(x), arrow.ListOf(y)},
			[]string{`[[{"x":1},null],null,[],[{"x":3}]]`, `[[{"y":"a"},{"y":"b"}],[],[],[{"y":null}]]`},
			`[[{"x":1,"y":"a"},{"x":null,"y":"b"}],[],[],[{"x":3,"y":null}]]`},
		{"large lists with a missing child", arrow.LargeListOf(xy), []arrow.DataType{arrow.LargeListOf(x)},
			[]string{`[[{"x":1},{"x":2}],null]`},
			`[[{"x":1,"y":null},{"x":2,"y":null}],null]`},
		{"fixed-size lists of structs", arrow.FixedSizeListOf(2, xy), []arrow.DataType{arrow.FixedSizeListOf(2, x),
			arrow.FixedSizeListOf(2, y)},
			[]string{`[[{"x":1},{"x":2}],null]`, `[[{"y":"a"},null],null]`}, `[[{"x":1,"y":"a"},{"x":2,"y":null}],null]`},
		{"structs in structs", arrow.StructOf(fields("s", xy, "z", dict)...),
			[]arrow.DataType{arrow.StructOf(fields("s", x, "z", dict)...), arrow.StructOf(fields("s", y)...)},
			[]string{`[{"s":{"x":1},"z":"q"},{"s":null,"z":null}]`, `[{"s":{"y":"a"}},{"s":{"y":"b"}}]`},
			`[{"s":{"x":1,"y":"a"},"z":"q"},{"s":{"x":null,"y":"b"},"z":null}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := checked(t)
			for _, pad := range []bool{false, true} { // also slices, whose offset is not zero
				var have []arrow.Array
				for i, typ := range c.have {
					text := c.in[i]
					if pad {
						text = "[null," + text[1:]
					}
					a := fromJSON(t, mem, typ, text)
					if pad {
						s := array.NewSlice(a, 1, int64(a.Len()))
						a.Release()
						a = s
					}
					have = append(have, a)
				}
				got, err := assemble(c.want, have, mem)
				require.NoError(t, err)
				for _, a := range have {
					a.Release()
				}
				want := fromJSON(t, mem, c.want, c.out)
				require.True(t, array.Equal(want, got), "%v, not %v", got, want)
				require.True(t, arrow.TypeEqual(c.want, got.DataType()))
				require.Equal(t, want.NullN(), got.NullN())
				want.Release()
				got.Release()
			}
		})
	}

	mem := checked(t)
	a, b := fromJSON(t, mem, arrow.ListOf(x), `[[{"x":1}],[]]`), fromJSON(t, mem, arrow.ListOf(y), `[[],[{"y":"a"}]]`)
	defer a.Release()
	defer b.Release()
	_, err := assemble(arrow.ListOf(xy), []arrow.Array{a, b}, mem)
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
}

// dirty is an allocator like a pool: what it gives is not zero.
type dirty struct{ memory.Allocator }

func (d dirty) Allocate(size int) []byte {
	b := d.Allocator.Allocate(size)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

func TestNullsOfEveryType(t *testing.T) {
	mem := checked(t)
	for _, typ := range []arrow.DataType{arrow.Null, arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String, arrow.BinaryTypes.LargeBinary,
		arrow.FixedSizeListOf(768, arrow.PrimitiveTypes.Float32), arrow.ListOf(arrow.BinaryTypes.String),
		arrow.StructOf(fields("a", arrow.PrimitiveTypes.Int8, "b", arrow.BinaryTypes.String)...),
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16,
			ValueType: arrow.BinaryTypes.String}, arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32),
		&arrow.Decimal256Type{Precision: 50, Scale: 3}, &arrow.FixedSizeBinaryType{ByteWidth: 16},
		arrow.FixedWidthTypes.Boolean, arrow.FixedWidthTypes.Timestamp_us} {
		for _, n := range []int64{0, 1, 100} {
			a := nulls(typ, n, dirty{mem})
			require.Equal(t, int(n), a.Len())
			require.Equal(t, int(n), a.NullN(), typ.String())
			for i := range a.Len() {
				require.True(t, a.IsNull(i) || typ == arrow.Null, typ.String())
				_ = a.ValueStr(i)
			}
			a.Release()
		}
	}
}
