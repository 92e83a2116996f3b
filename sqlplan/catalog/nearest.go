package catalog

import (
	"slices"
	"strings"
)

// Nearest returns the candidates whose names are near enough to name for a typing error, nearest
// first, at most three. Case does not count.
func Nearest(name string, candidates []string) []string {
	type scored struct {
		name string
		d    int
	}
	want := strings.ToLower(name)
	limit := max(2, len(want)/3)
	var near []scored
	for _, c := range candidates {
		have := strings.ToLower(c)
		d := editDistance(want, have)
		// A prefix is a likely abbreviation, however much of the name is missing.
		if len(want) >= 3 && (strings.HasPrefix(have, want) || strings.HasPrefix(want, have) && len(have) >= 3) {
			d = min(d, limit)
		}
		if d <= limit && d < max(len(want), len(have)) {
			near = append(near, scored{c, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int {
		if a.d != b.d {
			return a.d - b.d
		}
		return strings.Compare(a.name, b.name)
	})
	if len(near) > 3 {
		near = near[:3]
	}
	out := make([]string, len(near))
	for i, s := range near {
		out[i] = s.name
	}
	return out
}

// Hint says what was probably meant: `; did you mean "a" or "b"?`, else lists the candidates if they
// are few, else nothing. what is the plural noun of the list ("tables").
func Hint(name string, candidates []string, what string) string {
	if near := Nearest(name, candidates); len(near) > 0 {
		return "; did you mean " + quoteList(near, " or ") + "?"
	}
	switch n := len(candidates); {
	case n == 0:
		return "; there are no " + what
	case n <= 20:
		return "; " + what + ": " + strings.Join(candidates, ", ")
	}
	return ""
}

func quoteList(names []string, last string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = `"` + n + `"`
	}
	if len(q) == 1 {
		return q[0]
	}
	return strings.Join(q[:len(q)-1], ", ") + last + q[len(q)-1]
}

// editDistance is the number of insertions, deletions, replacements and swaps of neighbours between
// two strings (optimal string alignment), in bytes. Names longer than 128 bytes are cut.
func editDistance(a, b string) int {
	const most = 128
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	var rows [3][most + 1]int
	for j := range len(b) {
		rows[1][j+1] = j + 1
	}
	for i := range len(a) {
		older, old, now := &rows[i%3], &rows[(i+1)%3], &rows[(i+2)%3]
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(old[j]+cost, old[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], older[j-1]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
