// Package cache keeps values that are dear to make, up to a number of bytes or of values, and
// forgets those that were used least recently.
//
//	             ┌──────────────── kept, by time of last use ────────────────┐
//	Get, Load ──>│ most recent │ … │ … │ … │ least recent ──> forgotten when  │
//	             └───────────────────────────────────────── the bounds do not ┘
//	   │ not there                          ^               hold ─> closed after
//	   v                                    │                       its last user
//	loading: one caller loads, others wait ─┘
//
// There are two kinds of cache over one machinery. A Cache holds values that live in the Go heap: a
// value that is forgotten stays usable by whom it was handed to. A Counted holds values that must be
// closed, such as open files: it counts the users of each, and closes a value when it was forgotten
// and its last user has released it.
//
// Bounds are exact: when a call returns, what is kept is within them. What a value costs in bytes is
// what Options.Cost says when the value comes in. There are no goroutines and no clocks, so the same
// calls in the same order forget the same values.
//
// Several callers that want the same value at a time cause one load. It runs in the goroutine, and
// under the context, of the first of them. A caller that gives up waiting gets the error of its own
// context and disturbs nobody. When the one that loads gives up, one of those that wait loads instead.
//
// The order of use is kept by github.com/hashicorp/golang-lru/v2/simplelru. The library
// github.com/maypok86/otter/v2 was considered and not taken: its bound holds only after a while, what
// it forgets depends on estimates of frequency, and it does not count users.
package cache
