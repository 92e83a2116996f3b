package index

import "github.com/apache/arrow-go/v18/arrow"

// Inverted is the full-text index, which is not read yet.
var Inverted = Kind{
	Name: "INVERTED", Details: "invertedindexdetails",
	InFiles: func(has map[string]bool, _ arrow.DataType) bool { return has["metadata.lance"] || has["invert.lance"] },
}

// FragmentReuse is the system's index of rows that compactions moved. What it says may stand in the manifest itself; see
// table.DecodeFragmentReuse.
var FragmentReuse = Kind{Name: "FRAGMENT_REUSE", Details: "fragmentreuseindexdetails", MayLackFiles: true}

// unreadKinds are known by name only. Nothing is known of their files.
var unreadKinds = []Kind{
	FragmentReuse,
	{Name: "MEM_WAL", Details: "memwalindexdetails", MayLackFiles: true},
	{Name: "JSON", Details: "jsonindexdetails", MayLackFiles: true},
	{Name: "RTREE", Details: "rtreeindexdetails", MayLackFiles: true},
	{Name: "FM", Details: "fmindexdetails", Addresses: always, MayLackFiles: true},
	{Name: "MINHASH_LSH", Details: "minhashlshindexdetails", MayLackFiles: true},
}
