package lanceidx

import (
	"encoding/json"
	"strconv"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
)

// Keys of the schema metadata.
const (
	keyIndex    = "lance:index"
	keyIVF      = "lance:ivf"
	keyStorage  = "storage_metadata"
	keyDistance = "distance_type"
)

// indexMeta is the value of lance:index.
type indexMeta struct {
	Type         string `json:"type"`
	DistanceType string `json:"distance_type"`
}

// storageMeta is what storage_metadata says of any quantizer; absent fields stay zero.
type storageMeta struct {
	// PQ
	CodebookPosition int   `json:"codebook_position"`
	NumBits          int   `json:"nbits"`
	NumSubVectors    int   `json:"num_sub_vectors"`
	Dimension        int   `json:"dimension"`
	CodebookTensor   []int `json:"codebook_tensor"` // bytes of a Tensor, in files before codebook_position
	Transposed       bool  `json:"transposed"`
	// SQ and FLAT
	Dim         int    `json:"dim"`
	ElementBits int    `json:"num_bits"` // RQ too
	Bounds      bounds `json:"bounds"`
	// RQ
	RotationType   string `json:"rotation_type"` // absent in old versions, which had matrices alone
	RotationMatrix *int   `json:"rotate_mat_position"`
	RotationSigns  []int  `json:"fast_rotation_signs"` // bytes
	CodeDim        int    `json:"code_dim"`
	Packed         bool   `json:"packed"`
	QueryEstimator string `json:"query_estimator"` // absent in old versions, which rotated residuals
}

type bounds struct {
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// kind is what an index type consists of.
type kind struct {
	name      string // "IVF_HNSW_SQ"
	quantizer string // "SQ"
	column    string // of the codes
}

var kinds = map[string]kind{
	"IVF_FLAT":      {quantizer: "FLAT", column: "flat"},
	"IVF_PQ":        {quantizer: "PQ", column: "__pq_code"},
	"IVF_SQ":        {quantizer: "SQ", column: "__sq_code"},
	"IVF_RQ":        {quantizer: "RQ", column: signsColumn},
	"IVF_HNSW_FLAT": {quantizer: "FLAT", column: "flat"},
	"IVF_HNSW_PQ":   {quantizer: "PQ", column: "__pq_code"},
	"IVF_HNSW_SQ":   {quantizer: "SQ", column: "__sq_code"},
}

// parseIndexMeta reads kind and metric. Another kind is fault.Unsupported naming it.
func parseIndexMeta(meta map[string]string) (kind, vecindex.Metric, error) {
	text, ok := meta[keyIndex]
	if !ok {
		return kind{}, 0, fault.Corruptf("no %q in the schema metadata", keyIndex)
	}
	var m indexMeta
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return kind{}, 0, fault.Corruptf("%s: %v", keyIndex, err)
	}
	metric, err := vecindex.ParseMetric(m.DistanceType)
	if err != nil {
		return kind{}, 0, fault.Corruptf("%s: distance type %q", keyIndex, m.DistanceType)
	}
	k, ok := kinds[m.Type]
	if !ok {
		return kind{}, 0, fault.New(fault.Unsupported, "vector index kind %s", m.Type)
	}
	k.name = m.Type
	return k, metric, nil
}

// parseStorageMeta reads the JSON text inside the JSON array.
func parseStorageMeta(meta map[string]string) (storageMeta, error) {
	var m storageMeta
	text, ok := meta[keyStorage]
	if !ok {
		return m, fault.Corruptf("no %q in the schema metadata", keyStorage)
	}
	var texts []string
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return m, fault.Corruptf("%s: %v", keyStorage, err)
	}
	if len(texts) == 0 {
		return m, fault.Corruptf("%s is an empty array", keyStorage)
	}
	if err := json.Unmarshal([]byte(texts[0]), &m); err != nil {
		return m, fault.Corruptf("%s: %v", keyStorage, err)
	}
	return m, nil
}

// parseBufferNumber reads the number of a global buffer.
func parseBufferNumber(meta map[string]string, key string) (int, error) {
	text, ok := meta[key]
	if !ok {
		return 0, fault.Corruptf("no %q in the schema metadata", key)
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fault.Corruptf("%s: %q is not the number of a global buffer", key, text)
	}
	return int(n), nil
}
