package index

import (
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt/table"
)

// Kind is what the rest of the program knows of a kind of index. Each kind states itself in its own file; kinds is the list
// of them. Everybody else asks a Kind instead of comparing names.
type Kind struct {
	// Name is the kind's name as CREATE INDEX has it, "BTREE".
	Name string
	// Details is the name of the message that IndexMetadata.index_details has for the kind, without its package and in
	// lower case, since Lance compares without case. Several kinds may share it: then InDetails tells them apart.
	Details   string
	InDetails func(details []byte) bool
	// InFiles recognises the kind by the names of a segment's files and the type of the indexed column, which is nil if it
	// is not known. Writers up to 0.19 recorded no details. It is nil for kinds that are newer than that.
	InFiles func(has map[string]bool, column arrow.DataType) bool

	// Ops are the questions that the kind answers; Index.Supports has the last word on each of them. A kind without any is
	// known by name, and filters do without it.
	Ops []Op
	// Rank orders the kinds that answer one question: the lowest one is asked.
	Rank int
	// Exact says that rows which the kind finds need not be looked at again, whatever was asked; ExactNulls that this is
	// so of IsNull. The answer of a search has the last word on each row.
	Exact, ExactNulls bool
	// Addresses reports whether segments of an index_version name rows by address where the table has stable row ids. It is
	// nil for kinds that name them by row id there.
	//
	// Source: lance-table 14.0.2, IndexMetadata::results_are_row_addrs.
	Addresses func(version int32) bool
	// Rows says whether a segment's files have each row of the fragments that it covers, and where.
	Rows RowsIn

	// Open opens a segment of at most the index_version Version, which is the newest one that is
	// known. It is nil for kinds that this package does not read.
	Open    func(ctx context.Context, s *segment) (Index, error)
	Version int32
	// Vector says that vecindex/lanceidx opens the segments.
	Vector bool

	// MayLackFiles says that a segment without files is no damage.
	MayLackFiles bool
	// Internal are keys of a file's metadata whose values tell a reader nothing: numbers of global buffers, and lists as
	// long as the index has parts.
	Internal []string
}

// RowsIn says where the files of an index have the rows of the fragments that it covers.
type RowsIn int

const (
	// RowsPartly means that rows may be in no place of the index though it covers them.
	RowsPartly RowsIn = iota
	// RowsInColumn means that a column of the files has the id or the address of each row.
	RowsInColumn
	// RowsInSets means that each row is in the set of some key, which may be NULL: InRange without bounds and IsNull find
	// all of them.
	RowsInSets
)

// kinds has every kind that is known. Where old writers left nothing but files, the first kind that recognises them is taken.
var kinds = slices.Concat(
	[]Kind{Inverted},
	vectorKinds,
	[]Kind{LabelList, Bitmap, BTree, NGram, BloomFilter, ZoneMap},
	unreadKinds,
)

// Kinds returns every kind that is known.
func Kinds() []Kind { return slices.Clone(kinds) }

// Find returns a kind by its name. Of one that is not known it returns nothing but the name.
func Find(name string) (k Kind, known bool) {
	if i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name }); i >= 0 {
		return kinds[i], true
	}
	return Kind{Name: name}, false
}

// KindOf names the kind of a segment that the manifest describes: that of its details, or their type URL if the kind is not
// known, or "" if it has no details; see KindOfFiles.
func KindOf(m *table.Index) string {
	details := strings.ToLower(m.TypeURL[strings.LastIndexAny(m.TypeURL, "./")+1:])
	for i := range kinds {
		if k := &kinds[i]; k.Details == details && details != "" && (k.InDetails == nil || k.InDetails(m.Details)) {
			return k.Name
		}
	}
	return m.TypeURL
}

// KindOfFiles names the kind of a segment without details by its files, "" where they tell nothing. column is the type of
// the indexed column, or nil.
//
// Source: lance 14.0.2, infer_scalar_index_details of src/index/scalar.rs.
func KindOfFiles(has map[string]bool, column arrow.DataType) string {
	for i := range kinds {
		if k := &kinds[i]; k.InFiles != nil && k.InFiles(has, column) {
			return k.Name
		}
	}
	return ""
}

// HasAddresses reports whether a segment names rows by address in a table with stable row ids too.
func HasAddresses(m *table.Index) bool {
	k, _ := Find(KindOf(m))
	return k.namesAddresses(m.IndexVersion)
}

func (k Kind) namesAddresses(version int32) bool { return k.Addresses != nil && k.Addresses(version) }

// always is Addresses of kinds that never named rows otherwise.
func always(int32) bool { return true }

// IsInternal reports whether a key of the metadata of some kind's files has a value that tells a reader nothing.
func IsInternal(key string) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return slices.Contains(k.Internal, key) })
}
