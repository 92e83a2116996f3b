// Package cast converts arrays and single values between types, and holds what the types of SQL read and
// write as text: numbers, decimals, dates, times and intervals.
package cast
