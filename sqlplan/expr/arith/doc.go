// Package arith holds the kernels of + - * / % ^ || and of the operators on bits, for numbers, decimals,
// strings, lists, dates and times.
package arith
