package expr

import (
	"slices"
	"strings"
)

// DidYouMean names the candidates nearest to a name that was not found, at most three, as the end of a
// message; "" if none is near. Case does not count.
func DidYouMean(name string, candidates []string) string {
	type near struct {
		name string
		d    int
	}
	var found []near
	limit := max(1, min(3, len(name)/3))
	for _, c := range candidates {
		d := editDistance(strings.ToLower(name), strings.ToLower(c))
		if len(name) > 2 && strings.HasPrefix(strings.ToLower(c), strings.ToLower(name)) {
			d = min(d, limit)
		}
		if d <= limit && d < len(name) {
			found = append(found, near{c, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		if a.d != b.d {
			return a.d - b.d
		}
		return strings.Compare(a.name, b.name)
	})
	if len(found) == 0 {
		return ""
	}
	var b strings.Builder
	for i, f := range found[:min(3, len(found))] {
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteString(f.name)
	}
	return "; did you mean " + b.String() + "?"
}

// editDistance is Levenshtein's, in bytes, of the first 64 bytes.
func editDistance(a, b string) int {
	a, b = a[:min(64, len(a))], b[:min(64, len(b))]
	var row [65]int
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
