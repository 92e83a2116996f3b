// Package kernel holds what the operators compute with: moving rows between arrays, keys that sort
// and compare as bytes, hash tables from keys to group numbers, and sizes.
//
//	arrays ──Keys──> byte keys ──Table──> group numbers
//	arrays ──Take, Interleave──> arrays with chosen rows
//
// Nothing here knows plans or operators. Tables belong to one goroutine; functions are pure. Arrays
// that come out are the caller's to release; arrays that go in are borrowed.
package kernel
