package table

import (
	"fmt"
	"math/bits"
	"strings"

	"lanceflight/internal/fault"
)

// Feature flags: bits of Manifest.reader_feature_flags and writer_feature_flags.
// Source: lance-table 14.0.2, feature_flags.rs, and the comments of table.proto.
const (
	FlagDeletionFiles              = 1 << 0  // fragments may have deletion files
	FlagStableRowIDs               = 1 << 1  // row ids differ from row addresses
	FlagV2Format                   = 1 << 2  // deprecated, says nothing any more
	FlagTableConfig                = 1 << 3  // Manifest.config is set
	FlagBasePaths                  = 1 << 4  // files may lie under other roots
	FlagNoTransactionFile          = 1 << 5  // nothing in _transactions/
	FlagDataOverlays               = 1 << 6  // cells are replaced by overlay files
	FlagCoveringColumns            = 1 << 7  // Index fields end in the columns it only carries
	FlagMixedFileVersions          = 1 << 8  // each data file has its own storage version
	FlagStableIDReuse              = 1 << 9  // stable row ids together with a fragment reuse index
	FlagFragmentReuse              = 1 << 10 // fragment reuse index with mappings that must be understood
	FlagSpilledLineage             = 1 << 11 // row ids or row versions are a column of a data file
	FlagFragmentTree               = 1 << 12 // the fragments are not in the manifest
	FlagIndependentCovering        = 1 << 13 // Index fields and covering fields are apart
	FlagManagedBlobs               = 1 << 14 // blob descriptors address objects of their own
	FlagNonReusableFieldIDs        = 1 << 15 // for writers only
	FlagZoneSeeds                  = 1 << 16 // statistics of version 1 in data files
	FlagObjectMetadata             = 1 << 17 // for writers only
	readableFlags           uint64 = FlagDeletionFiles | FlagStableRowIDs | FlagV2Format | FlagTableConfig | FlagBasePaths |
		FlagNoTransactionFile | FlagDataOverlays | FlagCoveringColumns | FlagMixedFileVersions | FlagStableIDReuse |
		FlagFragmentReuse | FlagSpilledLineage | FlagManagedBlobs
	// pairedFlags must be in both words or in none: one alone says neither.
	pairedFlags uint64 = FlagMixedFileVersions | FlagFragmentReuse | FlagManagedBlobs | FlagZoneSeeds
)

var flagNames = map[int]string{
	0: "deletion files", 1: "stable row ids", 2: "v2 format", 3: "table config", 4: "base paths",
	5: "no transaction files", 6: "data overlay files", 7: "covering columns in indices",
	8: "mixed storage versions", 9: "fragment reuse with stable row ids", 10: "fragment reuse index with mappings",
	11: "row ids in data files", 12: "fragment tree", 13: "independent covering columns", 14: "managed blobs",
	15: "field ids that are never reused", 16: "zone statistics of version 1", 17: "object metadata",
}

// checkReaderFlags refuses a table that needs a reader to know more than this one does. A flag says
// that ignoring the feature would give wrong answers, so unknown bits are refused too.
func checkReaderFlags(flags, writer uint64) error {
	if odd := (flags ^ writer) & pairedFlags; odd != 0 {
		return fault.Corruptf("of the table's feature flags %s is set for readers or writers only", flagName(bits.TrailingZeros64(odd)))
	}
	unknown := flags &^ readableFlags
	if unknown == 0 {
		return nil
	}
	var names []string
	for rest := unknown; rest != 0; rest &= rest - 1 {
		names = append(names, flagName(bits.TrailingZeros64(rest)))
	}
	return fault.New(fault.Unsupported, "the table's reader feature flags %d: %s", flags, strings.Join(names, ", "))
}

func flagName(bit int) string {
	if name, ok := flagNames[bit]; ok {
		return fmt.Sprintf("bit %d (%s)", bit, name)
	}
	return fmt.Sprintf("bit %d (unknown)", bit)
}
