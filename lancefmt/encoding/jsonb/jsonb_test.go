package jsonb

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// Documents as lance-jsonb 14.0.2 writes them, and what pylance 14.0.2 makes of them.
func TestText(t *testing.T) {
	for _, c := range []struct{ hex, text string }{
		{"", "null"},
		{"2000000000000000", "null"},
		{"2000000040000000", "true"},
		{"2000000030000000", "false"},
		{"200000001000000373223c", `"s\"<"`},
		{"200000001000000608090a0c0d1f", `"\b\t\n\f\r\u001f"`},
		{"200000002000000100", "0"},
		{"200000002000000240fb", "-5"},
		{"20000000200000095000000000ffffffff", "4294967295"},
		{"20000000200000096040091eb851eb851f", "3.14"},
		{"200000002000000110", "null"},
		{"200000002000000a70000000000000000f01", "1.5"},
		{"80000000", "[]"},
		{"40000000", "{}"},
		{"80000003" + "20000002" + "10000001" + "00000000" + "5001" + "78", `[1,"x",null]`},
		{"40000002" + "10000001" + "10000002" + "40000000" + "50000004" + "61" + "6262" + "80000000", `{"a":true,"bb":[]}`},
	} {
		b, err := hex.DecodeString(c.hex)
		require.NoError(t, err)
		got, err := AppendText([]byte("+"), b)
		require.NoError(t, err, c.hex)
		require.Equal(t, "+"+c.text, string(got))
	}
}

// Eight bytes at a time, strings are judged as byte by byte.
func TestPlain(t *testing.T) {
	for at := range 20 {
		for c := range 256 {
			s := []byte("abcdefghijklmnopqrst")
			s[at] = byte(c)
			want := c >= 0x20 && c < 0x80 && c != '"' && c != '\\'
			require.Equal(t, want, plain(s), "%q", s)
			s[(at+1)%20] = 0x7f
			require.Equal(t, want, plain(s), "%q", s)
		}
	}
}

func TestDecimals(t *testing.T) {
	for _, c := range []struct{ hex, text string }{
		{"70000000000000000f01", "1.5"},
		{"70ffffffffffffffff00", "-1.0"},
		{"70" + "0000000000000000" + "000000000000002a" + "03", "0.042"},
		{"70" + "0000000000000000" + "000000000000002a" + "2603", "0.042"}, // the older form
		{"70" + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff9c" + "02", "-1.0"},
	} {
		b, err := hex.DecodeString(c.hex)
		require.NoError(t, err)
		got, err := appendNumber(nil, b)
		require.NoError(t, err)
		require.Equal(t, c.text, string(got), c.hex)
	}
}

func TestFloats(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", math.Copysign(0, -1): "-0.0", 1: "1.0", 1e15: "1000000000000000.0", 1e16: "1e+16", 1.5e-5: "0.000015",
		1e-5: "0.00001", 1e-6: "1e-6",
		1.2345678901234568e17: "1.2345678901234568e+17", 5e-324: "5e-324", math.MaxFloat64: "1.7976931348623157e+308",
		math.Inf(1): "null", 0.1: "0.1",
	} {
		require.Equal(t, want, string(AppendFloat(nil, f)))
	}
}

func TestBeyondTheBytes(t *testing.T) {
	for _, s := range []string{"200000001000000361", "8000000110000009", "40000001100000010000000061ff",
		"2000000020000000", "200000002000000360aabb"} {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		if _, err = AppendText(nil, b); s != "40000001100000010000000061ff" {
			require.Equal(t, fault.Corrupt, fault.KindOf(err), s)
		}
	}
	got, err := AppendText(nil, []byte("\x01{text}\xff"))
	require.NoError(t, err)
	require.Equal(t, "\x01{text}\uFFFD", string(got), "what is not JSONB is text")
	deep := []byte{}
	for range maxDepth + 2 {
		head := []byte{0x80, 0, 0, 1, 0x50, byte(len(deep) >> 16), byte(len(deep) >> 8), byte(len(deep))}
		deep = append(head, deep...)
	}
	_, err = AppendText(nil, deep)
	require.ErrorContains(t, err, "nested deeper")
}

// FuzzText: any bytes give text or an error; text of valid JSONB is JSON, and no longer than what was
// there allows.
func FuzzText(f *testing.F) {
	for _, s := range []string{"2000000000000000", "80000003200000021000000100000000500178",
		"4000000210000001100000024000000050000004616262" + "80000000",
		"20000000200000096040091eb851eb851f", "200000002000000a70000000000000000f01"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := AppendText(nil, b)
		if err != nil {
			require.NotEqual(t, fault.Internal, fault.KindOf(err))
			return
		}
		if len(text) > 64+32*len(b) {
			t.Fatalf("%d bytes of text from %d", len(text), len(b))
		}
		if _, err := container(nil, b, 0); err == nil && !json.Valid(text) {
			t.Fatalf("%q is not JSON", text)
		}
	})
}
