package storage

import (
	"context"

	"lanceflight/internal/fault"
)

// Stater is a store that can look at an object, or a directory where there are such things,
// without opening it.
type Stater interface {
	Stat(ctx context.Context, name string) (Info, error)
}

// Stat returns the size of an object and, where the store knows it, the time it was written. A
// missing object is fault.NotFound.
func Stat(ctx context.Context, store Store, name string) (Info, error) {
	if s, ok := store.(Stater); ok {
		return s.Stat(ctx, name)
	}
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return Info{}, err
	}
	defer o.Close()
	return Info{Name: name, SizeBytes: o.SizeBytes()}, nil
}

// ListNames returns the names of the objects directly below prefix, in order. It is List without
// sizes and times, which costs less on some stores.
func ListNames(ctx context.Context, store Store, prefix string) ([]string, error) {
	if s, ok := store.(interface {
		ListNames(ctx context.Context, prefix string) ([]string, error)
	}); ok {
		return s.ListNames(ctx, prefix)
	}
	objects, _, err := store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(objects))
	for i, o := range objects {
		names[i] = o.Name
	}
	return names, nil
}

// ReadAll returns a copy of an object's bytes. An object longer than maxBytes is refused with
// fault.ResourceExhausted before anything is read.
func ReadAll(ctx context.Context, store Store, name string, maxBytes int64) (data []byte, err error) {
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.SizeBytes() > maxBytes {
		return nil, fault.New(fault.ResourceExhausted, "%s has %d bytes; at most %d are read", name, o.SizeBytes(), maxBytes)
	}
	buffers, err := o.ReadRanges(ctx, []Range{{Length: o.SizeBytes()}})
	if err != nil {
		return nil, err
	}
	defer buffers[0].Release()
	err = Guard(func() error {
		data = append([]byte(nil), buffers[0].Bytes()...)
		return nil
	})
	return data, err
}
