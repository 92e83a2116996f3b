package storage

import (
	"runtime/debug"

	"lanceflight/internal/fault"
	"lanceflight/internal/mmap"
)

// Guard runs fn and turns a memory fault on a mapped file into an error.
//
// A page of a mapping is read when it is touched, not when ReadRanges returns. If by then another
// process truncated the file, or the disk fails, the kernel sends SIGBUS, which ends a Go program
// unless the goroutine asked otherwise. Guard asks, for the calling goroutine only: every goroutine
// that touches bytes of a buffer from ReadRanges, or arrays that alias one, must do so below a Guard
// of its own. Guards nest; the outer state is restored.
//
// The error is a fault.CorruptError naming the file if it became shorter than it was, else
// fault.Unavailable. A fault outside of all mappings is a bug and panics on, as does any other panic
// of fn. State that fn was changing is as an interrupted function leaves it: locks held without
// defer stay locked, so code that reads mapped bytes must not hold any.
func Guard(fn func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		cause := recover()
		if cause == nil {
			return
		}
		faulted, ok := cause.(interface {
			error
			Addr() uintptr
		})
		if !ok {
			panic(cause)
		}
		if err = mmap.Lost(faulted.Addr()); err == nil {
			panic(cause)
		}
	}()
	return fn()
}

// Contain runs fn below Guard and turns any other panic of fn into an error too, so that a bug, or
// damage that a decoder did not expect, ends one piece of work and not the process. doing says what
// the work was, as in "query execution". The error of a panic is fault.Internal: it has doing, the
// value of the panic and the stack.
func Contain(doing string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "internal error in %s: %v\n%s", doing, p, debug.Stack())
		}
	}()
	return Guard(fn)
}
