package fn

import (
	"encoding/json"
	"lanceflight/internal/fault"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Paths into JSON find what encoding/json finds, and never more than the text holds.
func FuzzJSONPath(f *testing.F) {
	for _, s := range [][2]string{
		{`{"a": {"b": [1, 2]}}`, "$.a.b[1]"}, {`[1, [2]]`, "/1/0"}, {`{"a\u0062": "x\n"}`, "ab"}, {`{"a":`, "a"},
		{`{"a":1}x`, "$"}, {`[[[[`, "$[0][0]"}, {`{"": 1}`, "/"},
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
