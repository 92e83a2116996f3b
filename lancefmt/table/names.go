package table

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Names below a table's root.
const (
	VersionsDir  = "_versions/"
	DataDir      = "data/"
	DeletionsDir = "_deletions/"
	IndicesDir   = "_indices/"
	TagsDir      = "_refs/tags/"
	BranchesDir  = "_refs/branches/"
	TreeDir      = "tree/" // of branches

	manifestSuffix = ".manifest"
	// detachedBit marks versions that are not part of the table's history; their files are
	// named d{version}.manifest and are never found by listing.
	detachedBit = 1 << 63
)

// Naming is how a table names its manifest files.
type Naming uint8

const (
	NamingV1 Naming = 1 // {version}.manifest
	NamingV2 Naming = 2 // {2^64-1 - version, 20 digits}.manifest: the latest version lists first
)

// ManifestName returns the name of a version's manifest.
func (n Naming) ManifestName(version uint64) string {
	if n == NamingV1 {
		return fmt.Sprintf("%s%d%s", VersionsDir, version, manifestSuffix)
	}
	return fmt.Sprintf("%s%020d%s", VersionsDir, math.MaxUint64-version, manifestSuffix)
}

// ParseManifestName tells the version and the naming of a file in _versions/. Files that are no
// manifest of the table's history (the hint, detached versions, temporary files) are not ok.
func ParseManifestName(name string) (version uint64, naming Naming, ok bool) {
	name = strings.TrimPrefix(name, VersionsDir)
	digits, ok := strings.CutSuffix(name, manifestSuffix)
	if !ok || digits == "" || digits[0] < '0' || digits[0] > '9' {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	// The length tells the two apart; a V1 version of 20 digits would be detached.
	naming = NamingV1
	if len(digits) == 20 {
		naming = NamingV2
		n = math.MaxUint64 - n
	}
	if n == 0 || n&detachedBit != 0 {
		return 0, 0, false
	}
	return n, naming, true
}

// DeletionName returns the name of a fragment's deletion file.
func DeletionName(fragmentID uint32, d DeletionFile) string {
	suffix := "arrow"
	if d.Kind == DeletionBitmap {
		suffix = "bin"
	}
	return fmt.Sprintf("%s%d-%d-%d.%s", DeletionsDir, fragmentID, d.ReadVersion, d.ID, suffix)
}
