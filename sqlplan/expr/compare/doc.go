// Package compare holds comparisons: of a column with a constant, 64 rows to a word, and of two vectors
// of values of any type in SQL's total order.
package compare
