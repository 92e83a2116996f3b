package storage

import (
	"bytes"
	"context"

	"lanceflight/internal/fault"
)

// Writer takes an object in pieces. It belongs to one goroutine. Nobody sees the object before Commit, and all of it then.
type Writer interface {
	Write(p []byte) (int, error)
	// Commit makes the object; fault.AlreadyExists if the name was taken meanwhile. Nothing can be done after it.
	Commit() error
	// Abort drops what was written. After Commit it does nothing, so it may be deferred.
	Abort()
}

// Creator is a Store that takes objects larger than memory.
type Creator interface {
	// Create begins an object. ctx ends it: Write and Commit fail from then on.
	Create(ctx context.Context, name string) (Writer, error)
}

// Create begins an object in a store; one that is no Creator gets it by PutIfAbsent, from memory.
func Create(ctx context.Context, store Store, name string) (Writer, error) {
	if c, ok := store.(Creator); ok {
		return c.Create(ctx, name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &heldWriter{ctx: ctx, store: store, name: name}, nil
}

type heldWriter struct {
	ctx   context.Context
	store Store
	name  string
	data  bytes.Buffer
	done  bool
}

func (w *heldWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.data.Write(p)
}

func (w *heldWriter) Commit() error {
	if w.done {
		return fault.New(fault.Internal, "%s is committed or dropped already", w.name)
	}
	w.done = true
	return w.store.PutIfAbsent(w.ctx, w.name, w.data.Bytes())
}

func (w *heldWriter) Abort() { w.done, w.data = true, bytes.Buffer{} }
