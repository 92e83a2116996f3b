// Package sqlname writes names of tables, columns and functions as they stand in SQL text.
package sqlname

import "strings"

// Quote writes a name between double quotes, with the quotes inside it doubled. It reads back as the
// same name whatever characters it has.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteIfNeeded leaves a name of lower-case letters, digits and underscores as it is and quotes all
// others. The text then means the same name to engines that fold the case of bare names, too.
func QuoteIfNeeded(name string) string { return quoteUnless(name, false) }

// QuoteForPeople also leaves upper-case letters bare. This server finds a name in any case, so the
// result can be pasted into a query, and it looks like the name in the table.
func QuoteForPeople(name string) string { return quoteUnless(name, true) }

func quoteUnless(name string, upper bool) string {
	for i := range len(name) {
		c := name[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || upper && c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return Quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
