package index

import (
	"google.golang.org/protobuf/proto"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt/pb/tablepb"
)

// Vector indices share one message of details, which says how vectors are compressed and whether partitions have graphs.
// Old writers said neither: their indices are called VECTOR. Package vecindex/lanceidx reads all of them.
var vectorKinds = []Kind{
	vectorKind("IVF_FLAT", false, isFlat), vectorKind("IVF_HNSW_FLAT", true, isFlat),
	vectorKind("IVF_PQ", false, isPQ), vectorKind("IVF_HNSW_PQ", true, isPQ),
	vectorKind("IVF_SQ", false, isSQ), vectorKind("IVF_HNSW_SQ", true, isSQ),
	vectorKind("IVF_RQ", false, isRQ), vectorKind("IVF_HNSW_RQ", true, isRQ),
	{
		Name: "VECTOR", Details: vectorDetails, Vector: true,
		InFiles: func(has map[string]bool, _ arrow.DataType) bool { return has["index.idx"] },
	},
}

const vectorDetails = "vectorindexdetails"

func vectorKind(name string, graphs bool, compressed func(*tablepb.VectorKind) bool) Kind {
	return Kind{
		Name: name, Details: vectorDetails, Vector: true,
		InDetails: func(details []byte) bool {
			m := new(tablepb.VectorKind)
			return proto.Unmarshal(details, m) == nil && (m.GetHnsw() != nil) == graphs && compressed(m)
		},
		Internal: []string{"lance:ivf", "lance:flat", "lance:hnsw", "partitions"},
	}
}

func isFlat(m *tablepb.VectorKind) bool {
	_, ok := m.GetCompression().(*tablepb.VectorKind_Flat)
	return ok
}

func isPQ(m *tablepb.VectorKind) bool {
	_, ok := m.GetCompression().(*tablepb.VectorKind_Pq)
	return ok
}

func isSQ(m *tablepb.VectorKind) bool {
	_, ok := m.GetCompression().(*tablepb.VectorKind_Sq)
	return ok
}

func isRQ(m *tablepb.VectorKind) bool {
	_, ok := m.GetCompression().(*tablepb.VectorKind_Rq)
	return ok
}
