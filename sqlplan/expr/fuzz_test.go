package expr_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/match"
	"lanceflight/sqlplan/expr/value"
)

// Text that becomes a value has a text of its own, which becomes the same value again.
func FuzzTextBecomesValues(f *testing.F) {
	for _, s := range []string{
		"", "42", "-9223372036854775808", "1e400", "NaN", " infinity ", "0.1", "99999999999999999999.99", "1e-30", "t", "off",
		"2024-02-29", "0044-03-15 BC",
		"2024-02-29 12:34:56.789+05:30", "2024-02-29T23:59:60", "24:00:00", "1 year 2 mons -3 days 04:05:06.789",
		"P1Y2M3DT4H5M6.7S", "1-2", "-1.5 hours ago",
		"[1, 2.5, null]", "{1,{2}}", `["a\"b", 'c''d']`, `\x00ff`, `a\\b\001`, "[1e39,1]", "99999999999 days",
		"2024-02-29 12:34:56 Europe/Berlin",
	} {
		f.Add(s)
	}
	types := []arrow.DataType{
		value.TypeBool, value.TypeInt32, value.TypeInt64, value.TypeUint64, value.TypeFloat32, value.TypeFloat64,
		&arrow.Decimal128Type{Precision: 38, Scale: 10}, &arrow.Decimal128Type{Precision: 5, Scale: 2},
		value.TypeDate, value.TypeTime, arrow.FixedWidthTypes.Time32s, value.TypeTimestamp,
		&arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "Europe/Berlin"}, &arrow.TimestampType{Unit: arrow.Second},
		value.TypeInterval, value.TypeBinary, arrow.ListOf(value.TypeFloat64), arrow.ListOf(value.TypeText),
		arrow.FixedSizeListOf(2, value.TypeFloat32), arrow.ListOf(arrow.ListOf(value.TypeInt32)),
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		for _, typ := range types {
			v, err := expr.CastLiteral(expr.Literal{Value: s, T: value.TypeText}, typ)
			if err != nil {
				require.Equal(t, fault.InvalidArgument, fault.KindOf(err), "%s: %v", typ, err)
				continue
			}
			text, err := expr.CastLiteral(v, value.TypeText)
			require.NoError(t, err)
			again, err := expr.CastLiteral(text, typ)
			require.NoError(t, err, "%s: %q became %q", typ, s, text.Value)
			if typ.ID() == arrow.TIMESTAMP && typ.(*arrow.TimestampType).TimeZone != "" {
				// Offsets have seconds before time zones had names; both texts name the instant.
				require.Equal(t, v.Value, again.Value, "%s: %q became %q", typ, s, text.Value)
				continue
			}
			require.True(t, expr.SameValue(v.Value, again.Value), "%s: %q became %q: %v, %v", typ, s, text.Value, v.Value, again.Value)
		}
	})
}

// LIKE is what a regular expression with .* and . says.
func FuzzLike(f *testing.F) {
	for _, s := range [][2]string{{"abc", "a%"}, {"abc", "%b%"}, {"äbc", "_b%"}, {"a%b", `a\%b`}, {"aXbXc", "a%X_"},
		{"日本語", "%本_"}, {"aaa", "%a%a"}, {"", "%"}, {"ABC", "a_c"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, s, pattern string) {
		if !utf8.ValidString(s) || !utf8.ValidString(pattern) || len(pattern) > 30 || len(s) > 200 {
			return
		}
		p, err := match.Like(pattern, nil)
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
		require.Equal(t, re.MatchString(s), p.Match([]byte(s)), "%q LIKE %q", s, pattern)
		fold, err := match.ILike(pattern, nil)
		require.NoError(t, err)
		lowered, err := match.Like(string(match.AppendLower(nil, []byte(pattern))), nil)
		require.NoError(t, err)
		require.Equal(t, lowered.Match(match.AppendLower(nil, []byte(s))), fold.Match([]byte(s)), "%q ILIKE %q", s, pattern)
	})
}
