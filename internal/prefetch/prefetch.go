// Package prefetch asks the processor for memory that will be read soon, where it cannot know that by itself:
// scattered rows of a mapped file, or the codes of a partition while their tables are computed.
//
//	Lines(next) ──> memory ──> second-level cache
//	work on what is there              │
//	read next  <───────────────────────┘
//
// It changes no result, and does not fault where mapped memory is gone.
package prefetch

// Lines asks for the cache lines of b, without waiting for them. On processors without a kernel it does nothing.
func Lines(b []byte) { lines(b) }
