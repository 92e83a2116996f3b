package lanceidx

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx/indexpb"
)

func TestIndexMeta(t *testing.T) {
	k, m, err := parseIndexMeta(map[string]string{keyIndex: `{"type":"IVF_HNSW_SQ","distance_type":"cosine"}`})
	require.NoError(t, err)
	require.Equal(t, kind{name: "IVF_HNSW_SQ", quantizer: "SQ", column: "__sq_code"}, k)
	require.Equal(t, vecindex.Cosine, m)

	_, _, err = parseIndexMeta(map[string]string{keyIndex: `{"type":"IVF_XQ","distance_type":"l2"}`})
	require.EqualError(t, err, "not supported: vector index kind IVF_XQ")
	for _, bad := range []map[string]string{nil, {keyIndex: ``}, {keyIndex: `[]`}, {keyIndex: `{"type":"IVF_PQ","distance_type":"x"}`}} {
		_, _, err = parseIndexMeta(bad)
		require.True(t, fault.Is(err, fault.Corrupt), "%v: %v", bad, err)
	}
}

func TestStorageMeta(t *testing.T) {
	m, err := parseStorageMeta(map[string]string{keyStorage: `["{\"codebook_position\":2,\"nbits\":8,` +
		`\"num_sub_vectors\":96,\"dimension\":768,\"codebook_tensor\":[],\"transposed\":true}"]`})
	require.NoError(t, err)
	require.Equal(t, storageMeta{CodebookPosition: 2, NumBits: 8, NumSubVectors: 96, Dimension: 768,
		CodebookTensor: []int{}, Transposed: true}, m)
	m, err = parseStorageMeta(map[string]string{keyStorage: `["{\"dim\":32,\"num_bits\":8,\"bounds\":{\"start\":-1.5,\"end\":2}}"]`})
	require.NoError(t, err)
	require.Equal(t, storageMeta{Dim: 32, ElementBits: 8, Bounds: bounds{Start: -1.5, End: 2}}, m)
	for _, bad := range []map[string]string{nil, {keyStorage: `{}`}, {keyStorage: `[]`}, {keyStorage: `["["]`},
		{keyStorage: `["{\"dim\":1e99}"]`}} {
		_, err = parseStorageMeta(bad)
		require.True(t, fault.Is(err, fault.Corrupt), "%v: %v", bad, err)
	}
}

func TestBufferNumber(t *testing.T) {
	n, err := parseBufferNumber(map[string]string{keyIVF: "17"}, keyIVF)
	require.NoError(t, err)
	require.Equal(t, 17, n)
	for _, bad := range []map[string]string{nil, {keyIVF: ""}, {keyIVF: "-1"}, {keyIVF: "99999999999"}, {keyIVF: "x"}} {
		_, err := parseBufferNumber(bad, keyIVF)
		require.True(t, fault.Is(err, fault.Corrupt))
	}
}

func TestMatrixOfEveryElementType(t *testing.T) {
	for typ, data := range map[indexpb.Tensor_DataType][]byte{
		indexpb.Tensor_FLOAT32: {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0},
		indexpb.Tensor_FLOAT16: {0, 0x3c, 0, 0xc0},
		indexpb.Tensor_FLOAT64: {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0},
	} {
		m, err := parseMatrix(&indexpb.Tensor{DataType: typ, Shape: []uint32{2, 1}, Data: data}, "x")
		require.NoError(t, err)
		require.Equal(t, matrix{rows: 2, columns: 1, values: []float32{1, -2}, element: typ}, m)
		_, err = parseMatrix(&indexpb.Tensor{DataType: typ, Shape: []uint32{2, 1}, Data: data[1:]}, "x")
		require.True(t, fault.Is(err, fault.Corrupt))
	}
	m, err := parseMatrix(&indexpb.Tensor{DataType: indexpb.Tensor_UINT8, Shape: []uint32{1, 2}, Data: []byte{1, 255}}, "x")
	require.NoError(t, err)
	require.Equal(t, []float32{1, 255}, m.values)

	for _, shape := range [][]uint32{nil, {1}, {1, 2, 3}, {math.MaxUint32, math.MaxUint32}, {3, 1}} {
		_, err := parseMatrix(&indexpb.Tensor{DataType: indexpb.Tensor_FLOAT32, Shape: shape, Data: make([]byte, 8)}, "x")
		require.True(t, fault.Is(err, fault.Corrupt), "%v", shape)
	}
	_, err = parseMatrix(&indexpb.Tensor{DataType: indexpb.Tensor_UINT64, Shape: []uint32{1, 1}, Data: make([]byte, 8)}, "centroids")
	require.EqualError(t, err, "not supported: centroids of UINT64")
}

func TestCentroidsOfOlderFiles(t *testing.T) {
	m, err := centroidsOf(&indexpb.IVF{Centroids: []float32{1, 2, 3, 4, 5, 6}, Lengths: []uint32{7, 8, 9}})
	require.NoError(t, err)
	require.Equal(t, 3, m.rows)
	require.Equal(t, 2, m.columns)
	_, err = centroidsOf(&indexpb.IVF{Centroids: []float32{1, 2, 3}, Lengths: []uint32{7, 8}})
	require.True(t, fault.Is(err, fault.Corrupt))
	_, err = centroidsOf(&indexpb.IVF{Centroids: []float32{1, 2, 3}})
	require.True(t, fault.Is(err, fault.Corrupt))
	m, err = centroidsOf(&indexpb.IVF{})
	require.NoError(t, err)
	require.Zero(t, m.rows)
}

func TestTranspose(t *testing.T) {
	require.Equal(t, []byte{1, 3, 5, 2, 4, 6}, transpose([]byte{1, 2, 3, 4, 5, 6}, 3, 2))
}

// FuzzMetadata parses arbitrary metadata and messages: a value or a typed error, and no more memory
// than the input warrants.
func FuzzMetadata(f *testing.F) {
	tensor, err := proto.Marshal(&indexpb.Tensor{DataType: indexpb.Tensor_FLOAT16, Shape: []uint32{2, 2}, Data: make([]byte, 8)})
	require.NoError(f, err)
	f.Add(`{"type":"IVF_PQ","distance_type":"l2"}`, `["{\"nbits\":8,\"num_sub_vectors\":4,\"dimension\":8}"]`, tensor)
	f.Add(`{}`, `["{\"bounds\":{\"start\":1,\"end\":0}}"]`, []byte{0x12, 0x05, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, index, storage string, message []byte) {
		check := func(err error) {
			if err != nil {
				k := fault.KindOf(err)
				require.True(t, k == fault.Corrupt || k == fault.Unsupported, "%v", err)
			}
		}
		meta := map[string]string{keyIndex: index, keyStorage: storage, keyIVF: index}
		_, _, err := parseIndexMeta(meta)
		check(err)
		m, err := parseStorageMeta(meta)
		check(err)
		if err == nil {
			_, err := json.Marshal(m)
			require.NoError(t, err)
		}
		_, err = parseBufferNumber(meta, keyIVF)
		check(err)
		var tensor indexpb.Tensor
		if proto.Unmarshal(message, &tensor) == nil {
			m, err := parseMatrix(&tensor, "x")
			check(err)
			require.LessOrEqual(t, len(m.values), len(message))
		}
		var ivf indexpb.IVF
		if proto.Unmarshal(message, &ivf) == nil {
			_, err := centroidsOf(&ivf)
			check(err)
		}
	})
}
