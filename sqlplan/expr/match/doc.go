// Package match compiles the patterns of LIKE, ILIKE, SIMILAR TO and of regular expressions, and holds
// the walks over UTF-8 that they share with the functions of strings.
package match
