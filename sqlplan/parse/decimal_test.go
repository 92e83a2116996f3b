package parse

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireDecimal checks the short way against strconv; it reports whether there was one.
func requireDecimal(t testing.TB, s string) bool {
	f, whole, end, ok := shortDecimal(s, 0)
	if !ok {
		return false
	}
	slow, slowWhole, slowEnd, slowOK := decimal(s, 0)
	require.True(t, slowOK, s)
	require.Equal(t, slowEnd, end, s)
	require.Equal(t, slowWhole, whole, s)
	require.Equal(t, math.Float64bits(slow), math.Float64bits(f), s)
	want, err := strconv.ParseFloat(s[:end], 64)
	require.NoError(t, err)
	require.Equal(t, math.Float64bits(want), math.Float64bits(f), s)
	return true
}

func TestShortDecimalsAreThoseOfStrconv(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	short, all := 0, 0
	for range 20_000 {
		f := float64(float32(rng.NormFloat64()))
		for _, s := range []string{
			strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(f, 'f', -1, 32), strconv.FormatFloat(f/30, 'f', -1, 64),
			strconv.FormatFloat(rng.NormFloat64(), 'g', 17, 64), strconv.FormatFloat(f, 'E', 8, 32), strconv.FormatFloat(f*1e9, 'f', 1, 64),
		} {
			all++
			if requireDecimal(t, s) {
				short++
			}
		}
	}
	require.Greater(t, short, all*95/100, "what vectors consist of takes the short way")
	// Halfway between two numbers, and next to that.
	for range 20_000 {
		m := rng.Uint64N(1e18)
		requireDecimal(t, fmt.Sprintf("%d.%de-%d", m/1e9, m%1e9, rng.IntN(14)))
		half := 1<<53 + rng.Uint64N(1<<53) | 1 // needs a bit more than there is
		s := strconv.FormatUint(half*5, 10)
		requireDecimal(t, s+"e-1")
		requireDecimal(t, s+"1e-2")
		requireDecimal(t, s[:3]+"."+s[3:])
		requireDecimal(t, strconv.FormatUint(half, 10)+".0")
		requireDecimal(t, strconv.FormatUint(half-1, 10)+".9")
	}
	for _, s := range []string{
		"", "-", ".", "-.", "1.", ".5", "+.5", "00012.50", "0.000000000000000000000000000001", "1e", "1e+", "1e-", "1e5", "1.5e1",
		"1.2.3", "1e5e5", "1e-22", "1e-23",
		"123456789012345678", "1234567890123456789", "0.123456789012345678", "0.1234567890123456789",
		"1.12345678901234567890123456789012345678901234567890",
		"9007199254740993", "-0", "-0.0", "0e0", "1.0e999999999999999999999", "12345678.87654321", "1.1234567x", "1.12345678/",
		"1.1234567:", "1 2", "1,2", "1]",
		"1e0005", "1.00000000000000000000000000000000000000000000000001", "0x10", "1_000", "inf", "1.5-2", "1.5+2",
	} {
		requireDecimal(t, s)
	}
}

func FuzzShortDecimal(f *testing.F) {
	for _, s := range []string{"0.03125469386577606", "-1.5e-05", "123456789012345678.1", "1.12345678", "9007199254740993.0", ".5,", "1e5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { requireDecimal(t, s) })
}

func BenchmarkVectorLiteral(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, bits := range map[string]int{"as float32": 32, "as float64": 64} {
		items := make([]string, 768)
		for i := range items {
			items[i] = strconv.FormatFloat(float64(float32(rng.NormFloat64()/28)), 'g', -1, bits)
		}
		text := "[" + strings.Join(items, ",") + "]"
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				l := lexer{src: text}
				if v, ok := l.vector(); !ok || len(v.Values) != len(items) {
					b.Fatal("not read")
				}
			}
		})
	}
}
