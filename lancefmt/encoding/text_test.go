package encoding

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

func FuzzScanText(f *testing.F) {
	for _, s := range []string{"", "a", strings.Repeat("caption ", 9), "naïve", "日本語の説明", "\xff", "a\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		strings.Repeat("a", 31) + "é", strings.Repeat("a", 40) + "\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ascii, valid := ScanText(b)
		require.Equal(t, utf8.Valid(b), valid)
		require.Equal(t, !bytes.ContainsFunc(b, func(r rune) bool { return r >= utf8.RuneSelf }), ascii)
	})
}

// Every sequence of two bytes, and random longer ones, at every place of a word.
func TestScanText(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			for _, before := range []int{0, 5, 30} {
				text := append([]byte(strings.Repeat("x", before)), byte(a), byte(b), 'y')
				_, valid := ScanText(text)
				require.Equal(t, utf8.Valid(text), valid, "%x", text)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "caption of a picture ", "é", "日", "🙂", "\x80", "\xe2\x82", "\xff"}
	for range 20000 {
		var text []byte
		for range r.IntN(12) {
			text = append(text, pieces[min(r.IntN(12), len(pieces)-1)]...)
		}
		_, valid := ScanText(text)
		require.Equal(t, utf8.Valid(text), valid, "%q", text)
	}
}

func TestCheckText(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	build := func(typ arrow.DataType, add func(b array.Builder)) arrow.Array {
		b := array.NewBuilder(mem, typ)
		defer b.Release()
		add(b)
		return b.NewArray()
	}
	text := func(values ...string) func(b array.Builder) {
		return func(b array.Builder) {
			for _, v := range values {
				switch b := b.(type) {
				case *array.StringBuilder:
					b.Append(v)
				case *array.LargeStringBuilder:
					b.Append(v)
				case *array.BinaryDictionaryBuilder:
					require.NoError(t, b.AppendString(v))
				}
			}
		}
	}
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	for _, typ := range []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, dictionary} {
		for _, x := range []struct {
			values []string
			bad    int
		}{
			{nil, -1},
			{[]string{"", "ascii", "é", ""}, -1},
			{[]string{"ok", "ok", "\xff", "ok"}, 2},
			{[]string{"\xc3", "\xa9"}, 0}, // together they are é
			{[]string{"long enough for a word of eight bytes", "x\xe2\x82"}, 1},
			{[]string{"a", "é\xc3", "\xa9"}, 1},
		} {
			a := build(typ, text(x.values...))
			value, err := CheckText(a.Data())
			if x.bad < 0 {
				require.NoError(t, err, "%s %q", typ, x.values)
			} else {
				require.True(t, fault.Is(err, fault.Corrupt), "%s %q", typ, x.values)
				require.Equal(t, x.bad, value, "%s %q", typ, x.values)
			}
			if n := a.Len(); n > 1 && typ != dictionary { // which keeps all of its items
				part := array.NewSlice(a, 1, int64(n))
				value, err := CheckText(part.Data())
				if x.bad < 1 && x.values[0] != "\xc3" {
					require.NoError(t, err)
				} else {
					require.Error(t, err)
					require.Equal(t, max(x.bad-1, 0), value)
				}
				part.Release()
			}
			a.Release()
		}
	}
	// What stands under a NULL is nobody's text.
	a := build(arrow.BinaryTypes.String, func(b array.Builder) {
		text("a", "\xff", "é")(b)
	})
	defer a.Release()
	valid := memory.NewBufferBytes([]byte{0b101})
	data := array.NewData(a.DataType(), 3, []*memory.Buffer{valid, a.Data().Buffers()[1], a.Data().Buffers()[2]}, nil, 1, 0)
	defer data.Release()
	_, err := CheckText(data)
	require.NoError(t, err)
	require.True(t, HasText(arrow.StructOf(arrow.Field{Name: "s", Type: dictionary})))
	require.False(t, HasText(arrow.StructOf(arrow.Field{Name: "s", Type: arrow.BinaryTypes.Binary})))
	require.False(t, HasText(arrow.ListOf(arrow.BinaryTypes.String))) // whose items are a column of their own
}

func BenchmarkScanText(b *testing.B) {
	for name, piece := range map[string]string{
		"ascii":    "a photograph of a dog on a beach, 4k, highly detailed ",
		"accents":  "une photographie d'un chien à la plage près de la forêt ",
		"japanese": "海辺の犬の写真、高解像度",
	} {
		text := []byte(strings.Repeat(piece, 1<<20/len(piece)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				ScanText(text)
			}
		})
		b.Run(name+"/stdlib", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				utf8.Valid(text)
			}
		})
	}
}
