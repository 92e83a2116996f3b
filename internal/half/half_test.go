package half

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/stretchr/testify/require"
)

// exact is the value of a half by its definition.
func exact(h uint16) float64 {
	sign := 1 - 2*float64(h>>15)
	exponent, mantissa := int(h>>10&31), float64(h&0x3ff)
	switch {
	case exponent == 31 && mantissa != 0:
		return math.NaN()
	case exponent == 31:
		return math.Inf(int(sign))
	case exponent == 0:
		return math.Copysign(math.Ldexp(mantissa, -24), sign)
	}
	return sign * math.Ldexp(1024+mantissa, exponent-25)
}

func TestAllHalvesBothWays(t *testing.T) {
	for bits := range 1 << 16 {
		h := uint16(bits)
		n := float16.FromBits(h)
		want := exact(h)
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(float64(Float32(n))) && math.IsNaN(Float64(n)), "%#x", h)
			require.Equal(t, h, FromFloat32(Float32(n)).Uint16())
			require.True(t, math.IsNaN(Float64(FromFloat64(Float64(n)))))
			continue
		}
		require.Equal(t, math.Float64bits(want), math.Float64bits(Float64(n)), "%#x", h)
		require.Equal(t, math.Float32bits(float32(want)), math.Float32bits(Float32(n)), "%#x", h)
		require.Equal(t, h, FromFloat32(float32(want)).Uint16())
		require.Equal(t, h, FromFloat64(want).Uint16())
		require.Equal(t, float32(want), Round(float32(want)))
	}
}

// TestMiddles narrows what lies between each half and the next, exactly in the middle and as little beside it as the
// wider type can tell.
func TestMiddles(t *testing.T) {
	for h := range uint16(0x7c00) {
		low, high := exact(h), exact(h+1)
		if h == 0x7bff {
			high = 65536 // from its middle on, infinity is nearer
		}
		middle := (low + high) / 2
		even := h + h&1
		for _, x := range []struct {
			value float64
			want  uint16
		}{
			{middle, even}, {math.Nextafter(middle, 0), h}, {math.Nextafter(middle, math.Inf(1)), h + 1},
			{math.Nextafter(low, high), h}, {math.Nextafter(high, low), h + 1},
		} {
			require.Equal(t, x.want, FromFloat64(x.value).Uint16(), "%v", x.value)
			require.Equal(t, x.want|0x8000, FromFloat64(-x.value).Uint16(), "%v", -x.value)
		}
		f := float32(middle)
		require.Equal(t, middle, float64(f))
		require.Equal(t, even, FromFloat32(f).Uint16(), "%v", f)
		require.Equal(t, h, FromFloat32(math.Nextafter32(f, 0)).Uint16(), "%v", f)
		require.Equal(t, (h+1)|0x8000, FromFloat32(-math.Nextafter32(f, 1e9)).Uint16(), "%v", f)
	}
}

func TestEnds(t *testing.T) {
	for _, f := range []float64{0, math.SmallestNonzeroFloat64, 0x1p-1022, math.SmallestNonzeroFloat32, 0x1p-25, 1e-300} {
		require.Equal(t, uint16(0), FromFloat64(f).Uint16(), "%v", f)
		require.Equal(t, uint16(0x8000), FromFloat64(math.Copysign(f, -1)).Uint16(), "%v", f)
		require.Equal(t, uint16(0x8000), FromFloat32(float32(math.Copysign(f, -1))).Uint16(), "%v", f)
	}
	for _, f := range []float64{65520, 1e6, math.MaxFloat32, math.Inf(1)} {
		require.Equal(t, uint16(0x7c00), FromFloat64(f).Uint16(), "%v", f)
		require.Equal(t, uint16(0xfc00), FromFloat32(float32(-f)).Uint16(), "%v", f)
	}
	require.Equal(t, uint16(0x7c00), FromFloat64(math.MaxFloat64).Uint16())
	for _, payload := range []uint64{1, 1 << 20, 1 << 51, 1<<52 - 1} {
		require.True(t, FromFloat64(math.Float64frombits(0x7ff<<52|payload)).IsNaN(), "%#x", payload)
		require.True(t, FromFloat32(math.Float32frombits(0xff<<23|uint32(payload>>29)|1)).IsNaN(), "%#x", payload)
	}
	require.True(t, math.IsNaN(float64(Round(float32(math.NaN())))))
}

// nearHalf is a number with an exponent around those of halves, and often a mantissa near the middle of two halves: the
// function near_halves of testdata/numpy_digests.py.
func nearHalf(bits uint64, exponentBits, mantissaBits uint) uint64 {
	bias := uint64(1)<<(exponentBits-1) - 1
	exponent := bias - 28 + bits>>57%48
	mantissa := bits & (1<<mantissaBits - 1)
	if bits>>54&1 == 1 {
		mantissa = mantissa&^(1<<(mantissaBits-10)-1) | 1<<(mantissaBits-11)
	}
	switch bits >> 55 & 3 {
	case 1:
		mantissa |= 1
	case 2:
		mantissa -= min(mantissa, 1)
	}
	return bits>>53&1<<(exponentBits+mantissaBits) | exponent<<mantissaBits | mantissa
}

// TestAsNumPy compares with what NumPy 2 gives, see testdata/numpy_digests.py.
func TestAsNumPy(t *testing.T) {
	var f32, f64, from32, from64 []byte
	for h := range 1 << 16 {
		n := float16.FromBits(uint16(h))
		if !n.IsNaN() {
			f32 = binary.LittleEndian.AppendUint32(f32, math.Float32bits(Float32(n)))
			f64 = binary.LittleEndian.AppendUint64(f64, math.Float64bits(Float64(n)))
		}
	}
	for i := range uint64(1 << 20) {
		x := 42 + (i+1)*0x9E3779B97F4A7C15 // SplitMix64
		x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
		x = (x ^ x>>27) * 0x94D049BB133111EB
		x ^= x >> 31
		from32 = binary.LittleEndian.AppendUint16(from32, FromFloat32(math.Float32frombits(uint32(nearHalf(x, 8, 23)))).Uint16())
		from64 = binary.LittleEndian.AppendUint16(from64, FromFloat64(math.Float64frombits(nearHalf(x, 11, 52))).Uint16())
	}
	for _, x := range []struct {
		what string
		got  []byte
		want string
	}{
		{"float32 of halves", f32, "680bbc22915f61aa1bbfc7265bc3882a6aa42d299bfd2c571807196e5544de2e"},
		{"float64 of halves", f64, "79fc8fde206ab7db2664c1760bbe8c8b0fc5adf41ce6112ff5bde9f19a6d9b46"},
		{"halves of float32", from32, "da70997c0e5bf879ee88705a200e7866ea20f43717cb8c75222cefeb46caa9ea"},
		{"halves of float64", from64, "2e96d22dfde6be858bee243441b1e7cdda110cb59f106fa1874e15c477f1c2d7"},
	} {
		sum := sha256.Sum256(x.got)
		require.Equal(t, x.want, hex.EncodeToString(sum[:]), x.what)
	}
}

// exactNames are what this module may use of arrow-go's package: the type, and its bits.
var exactNames = []string{"Num", "FromBits", "FromLEBytes", "Inf", "NaN"}

// TestNobodyElseConverts looks through the code of this module for conversions of arrow-go: functions of its package, and
// the method Float32, which nothing else here has that is called on a value.
func TestNobodyElseConverts(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	checked := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") ||
			filepath.Dir(path) == filepath.Join(root, "internal", "half") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		checked++
		name := ""
		for _, imp := range file.Imports {
			if p, _ := strconv.Unquote(imp.Path.Value); strings.HasSuffix(p, "/arrow/float16") {
				if name = "float16"; imp.Name != nil {
					name = imp.Name.Name
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && name != "" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == name && !slices.Contains(exactNames, sel.Sel.Name) {
					t.Errorf("%s: %s.%s; package half converts", set.Position(n.Pos()), name, sel.Sel.Name)
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) > 0 {
				return true
			}
			// x.Float32() without an argument is a method of float16.Num.
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Float32" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "rand" {
					return true
				}
				t.Errorf("%s: the method Float32 of arrow-go's halves; package half converts", set.Position(n.Pos()))
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, checked, 300)
}

func BenchmarkFromFloat64(b *testing.B) {
	x := 1.0
	for b.Loop() {
		x = Float64(FromFloat64(x * 1.1))
	}
}
