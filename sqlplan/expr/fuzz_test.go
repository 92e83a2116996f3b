package expr

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// Text that becomes a value has a text of its own, which becomes the same value again.
func FuzzTextBecomesValues(f *testing.F) {
	for _, s := range []string{
		"", "42", "-9223372036854775808", "1e400", "NaN", " infinity ", "0.1", "99999999999999999999.99", "1e-30", "t", "off", "2024-02-29", "0044-03-15 BC",
		"2024-02-29 12:34:56.789+05:30", "2024-02-29T23:59:60", "24:00:00", "1 year 2 mons -3 days 04:05:06.789", "P1Y2M3DT4H5M6.7S", "1-2", "-1.5 hours ago",
		"[1, 2.5, null]", "{1,{2}}", `["a\"b", 'c''d']`, `\x00ff`, `a\\b\001`, "[1e39,1]", "99999999999 days", "2024-02-29 12:34:56 Europe/Berlin",
	} {
		f.Add(s)
	}
	types := []arrow.DataType{
		tBool, tInt32, tInt64, tUint64, tFloat32, tFloat64, &arrow.Decimal128Type{Precision: 38, Scale: 10}, &arrow.Decimal128Type{Precision: 5, Scale: 2},
		tDate, tTime, arrow.FixedWidthTypes.Time32s, tTimestamp, &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "Europe/Berlin"}, &arrow.TimestampType{Unit: arrow.Second},
		tInterval, tBinary, arrow.ListOf(tFloat64), arrow.ListOf(tText), arrow.FixedSizeListOf(2, tFloat32), arrow.ListOf(arrow.ListOf(tInt32)),
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		for _, typ := range types {
			v, err := CastLiteral(Literal{s, tText}, typ)
			if err != nil {
				require.Equal(t, fault.InvalidArgument, fault.KindOf(err), "%s: %v", typ, err)
				continue
			}
			text, err := CastLiteral(v, tText)
			require.NoError(t, err)
			again, err := CastLiteral(text, typ)
			require.NoError(t, err, "%s: %q became %q", typ, s, text.Value)
			if typ.ID() == arrow.TIMESTAMP && typ.(*arrow.TimestampType).TimeZone != "" {
				// Offsets have seconds before time zones had names; both texts name the instant.
				require.Equal(t, v.Value, again.Value, "%s: %q became %q", typ, s, text.Value)
				continue
			}
			require.True(t, sameValue(v.Value, again.Value), "%s: %q became %q: %v, %v", typ, s, text.Value, v.Value, again.Value)
		}
	})
}

// LIKE is what a regular expression with .* and . says.
func FuzzLike(f *testing.F) {
	for _, s := range [][2]string{{"abc", "a%"}, {"abc", "%b%"}, {"äbc", "_b%"}, {"a%b", `a\%b`}, {"aXbXc", "a%X_"}, {"日本語", "%本_"}, {"aaa", "%a%a"}, {"", "%"}, {"ABC", "a_c"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, s, pattern string) {
		if !utf8.ValidString(s) || !utf8.ValidString(pattern) || len(pattern) > 30 || len(s) > 200 {
			return
		}
		p, err := likePattern(pattern, nil)
		var b strings.Builder
		b.WriteString(`(?s)\A`)
		quoted := false
		for _, r := range pattern {
			switch {
			case quoted:
				b.WriteString(regexp.QuoteMeta(string(r)))
				quoted = false
			case r == '\\':
				quoted = true
			case r == '%':
				b.WriteString(".*")
			case r == '_':
				b.WriteString(".")
			default:
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		if quoted {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		re, err := regexp.Compile(b.String() + `\z`)
		require.NoError(t, err)
		require.Equal(t, re.MatchString(s), p.match([]byte(s)), "%q LIKE %q", s, pattern)
		fold, err := ilikePattern(pattern, nil)
		require.NoError(t, err)
		lowered, err := likePattern(string(appendLower(nil, []byte(pattern))), nil)
		require.NoError(t, err)
		require.Equal(t, lowered.match(appendLower(nil, []byte(s))), fold.match([]byte(s)), "%q ILIKE %q", s, pattern)
	})
}

// Paths into JSON find what encoding/json finds, and never more than the text holds.
func FuzzJSONPath(f *testing.F) {
	for _, s := range [][2]string{
		{`{"a": {"b": [1, 2]}}`, "$.a.b[1]"}, {`[1, [2]]`, "/1/0"}, {`{"a\u0062": "x\n"}`, "ab"}, {`{"a":`, "a"}, {`{"a":1}x`, "$"}, {`[[[[`, "$[0][0]"}, {`{"": 1}`, "/"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, s, path string) {
		steps, err := parsePath(path)
		if err != nil {
			require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
			return
		}
		p := &jsonScanner{s: s}
		raw, ok, err := p.walk(steps)
		if err != nil || !json.Valid([]byte(s)) {
			return
		}
		var want any
		dec := json.NewDecoder(strings.NewReader(s))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&want))
		found := true
		for _, st := range steps {
			switch v := want.(type) {
			case map[string]any:
				if st.key == nil {
					found = false
					break
				}
				want, found = v[*st.key]
			case []any:
				i := st.index
				if st.key != nil && !isIndex(*st.key) {
					found = false
					break
				}
				if i < 0 {
					i += int64(len(v))
				}
				if i < 0 || i >= int64(len(v)) {
					found = false
					break
				}
				want = v[i]
			default:
				found = false
			}
			if !found {
				break
			}
		}
		if hasDuplicateKeys(s) { // encoding/json takes the last, the walk the first
			return
		}
		require.Equal(t, found, ok, "%s at %s", s, path)
		if ok {
			var got any
			dec := json.NewDecoder(strings.NewReader(raw))
			dec.UseNumber()
			require.NoError(t, dec.Decode(&got), raw)
			require.Equal(t, want, got)
		}
	})
}

// hasDuplicateKeys says whether some object of valid JSON has a key twice.
func hasDuplicateKeys(s string) bool {
	dup := false
	p := &jsonScanner{s: s}
	var walk func() error
	walk = func() error {
		switch p.peek() {
		case '{':
			seen := map[string]bool{}
			return p.object(func(k string) (bool, error) {
				dup = dup || seen[k]
				seen[k] = true
				return true, walk()
			})
		case '[':
			return p.array(func(*jsonScanner) (bool, error) { return true, walk() })
		}
		return p.skip()
	}
	_ = walk()
	return dup
}

// Formats of strptime never panic, and what they read strftime writes back.
func FuzzStrptime(f *testing.F) {
	f.Add("2024-02-29 12:34:56", "%Y-%m-%d %H:%M:%S")
	f.Add("29 Feb 24 5:06 PM +05:30", "%d %b %y %I:%M %p %z")
	f.Add("1700000000", "%s")
	f.Add("060", "%j")
	f.Fuzz(func(t *testing.T, text, format string) {
		v, ok, err := scanStrptime(text, format)
		if err != nil || !ok {
			return
		}
		out, err := appendStrftime(nil, "%Y-%m-%d %H:%M:%S.%f", v, 1e6, time.UTC, "")
		_ = out
		require.NoError(t, err)
	})
}
