// Package stores opens the store that a URI names. It has the one list of URI schemes, so that a new kind of store is a
// folder beside it and a line in it.
//
//	Open("s3://bucket/lake") ──> the Scheme called "s3" ──> storage.Store
//
// The conformance suite in lancefmt/storage/storagetest runs over each scheme of the list.
package stores

import (
	"context"
	"slices"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
	"lanceflight/lancefmt/storage/mem"
)

// schemes are the schemes that Open knows.
var schemes = []storage.Scheme{
	local.Scheme,
	mem.Scheme,
}

// Open opens the store that a URI names. What is no URI is a path of this machine. An unknown scheme is
// fault.Unsupported; other errors are those of the scheme.
func Open(ctx context.Context, uri string) (storage.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if uri == "" {
		return nil, fault.New(fault.InvalidArgument, "the location of a table is empty")
	}
	name, rest, ok := split(uri)
	if !ok {
		return local.Dir(uri)
	}
	scheme := findScheme(name)
	if scheme == nil {
		return nil, unsupported(name)
	}
	return scheme.Open(ctx, rest)
}

// Supported returns nil for a path, or for a URI whose scheme Open knows; else the error that Open gives.
func Supported(uri string) error {
	if name, _, ok := split(uri); ok && findScheme(name) == nil {
		return unsupported(name)
	}
	return nil
}

// FindObject opens the parent of what a URI names, and reports whether an object of that name is in it. It is how a file
// is told from the root of a table.
func FindObject(ctx context.Context, uri string) (store storage.Store, name string, ok bool) {
	at := strings.LastIndexAny(uri, `/\`)
	parent, name := ".", uri
	if at >= 0 {
		parent, name = uri[:at+1], uri[at+1:]
	}
	store, err := Open(ctx, parent)
	if err != nil {
		return nil, "", false
	}
	o, err := store.Open(ctx, name, -1)
	if err == nil {
		o.Close()
	}
	// An object that cannot be opened is there; whoever opens it next says what is wrong with it.
	return store, name, !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.InvalidArgument)
}

// split takes a URI apart. One letter before "://" is a drive and no scheme.
func split(uri string) (name, rest string, ok bool) {
	name, rest, ok = strings.Cut(uri, "://")
	return strings.ToLower(name), rest, ok && len(name) >= 2
}

func findScheme(name string) *storage.Scheme {
	if i := slices.IndexFunc(schemes, func(s storage.Scheme) bool { return s.Name == name }); i >= 0 {
		return &schemes[i]
	}
	return nil
}

func unsupported(name string) error {
	known := make([]string, len(schemes))
	for i, s := range schemes {
		known[i] = s.Name + "://"
	}
	return fault.New(fault.Unsupported, "storage %s://; a location is a path or one of %s", name, strings.Join(known, ", "))
}
