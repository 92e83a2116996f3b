package storage

import (
	"io/fs"
	"strings"

	"lanceflight/internal/fault"
)

// CheckName refuses names that are not plain slash-separated paths below the root. Names come from manifests, which means
// from outside.
func CheckName(name string) error {
	if name == "." || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return fault.New(fault.InvalidArgument, "object name %q does not stay below the store's root", name)
	}
	return nil
}

// ListBase returns what the names of the objects that Store.List returns for a prefix begin with: "" or a name with a slash
// at its end.
func ListBase(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix
	}
	return prefix + "/"
}
