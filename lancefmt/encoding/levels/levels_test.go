package levels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// value is a value of a nested type: of an item layer (below has the one inside, unless it is the
// leaf) or of a list layer (below has the elements).
type value struct {
	null  bool
	below []*value
}

// model writes levels as the definition says and keeps what must be read back.
type model struct {
	layers   []Layer
	null     []uint16 // definition level of NULL, per layer; 0: none
	empty    []uint16
	rep, def []uint16
	leaves   int
	valid    [][]bool // per layer
	ends     [][]int  // per list layer: offsets behind the first 0
}

func newModel(layers []Layer) *model {
	m := &model{layers: layers, null: make([]uint16, len(layers)), empty: make([]uint16, len(layers)),
		valid: make([][]bool, len(layers)), ends: make([][]int, len(layers))}
	next := uint16(1)
	for i, l := range layers {
		if l.hasNulls() {
			m.null[i] = next
			next++
		}
		if l == EmptyableList || l == NullAndEmptyList {
			m.empty[i] = next
			next++
		}
	}
	return m
}

// lists returns the number of list layers among the first n.
func (m *model) lists(n int) (r uint16) {
	for _, l := range m.layers[:n] {
		if l.IsList() {
			r++
		}
	}
	return r
}

func (m *model) random(rng *rand.Rand, layer int) *value {
	v := &value{}
	l := m.layers[layer]
	if l.hasNulls() && rng.IntN(4) == 0 {
		v.null = true
		return v
	}
	n := 1
	if l.IsList() {
		n = 1 + rng.IntN(3)
		if m.empty[layer] != 0 && rng.IntN(3) == 0 {
			n = 0
		}
	}
	if layer > 0 {
		for range n {
			v.below = append(v.below, m.random(rng, layer-1))
		}
	}
	return v
}

func (m *model) emit(rep, def uint16) {
	m.rep, m.def = append(m.rep, rep), append(m.def, def)
}

// absent records, for the layers below one that is null, what readers make of it: NULLs down to the
// next list, which is NULL too.
func (m *model) absent(layer int) {
	for ; layer >= 0; layer-- {
		m.valid[layer] = append(m.valid[layer], false)
		if m.layers[layer].IsList() {
			m.ends[layer] = append(m.ends[layer], m.count(layer-1))
			return
		}
	}
	m.leaves++
}

// count returns the number of values of a layer so far.
func (m *model) count(layer int) int { return len(m.valid[layer]) }

// write writes v, whose first entry gets level rep unless a list starts there.
func (m *model) write(v *value, layer int, rep uint16) {
	l := m.layers[layer]
	lists := m.lists(layer + 1)
	if rep == 0 && l.IsList() {
		rep = lists
	}
	if v.null {
		if rep == 0 {
			rep = lists // a null struct starts the lists inside of it
		}
		m.emit(rep, m.null[layer])
		m.valid[layer] = append(m.valid[layer], false)
		if l.IsList() {
			m.ends[layer] = append(m.ends[layer], m.count(layer-1))
		} else if layer > 0 {
			m.absent(layer - 1)
		} else {
			m.leaves++
		}
		return
	}
	m.valid[layer] = append(m.valid[layer], true)
	switch {
	case l.IsList() && len(v.below) == 0:
		m.emit(rep, m.empty[layer])
	case layer == 0:
		m.emit(rep, 0)
		m.leaves++
	default:
		for i, b := range v.below {
			if i > 0 {
				rep = 0
			}
			m.write(b, layer-1, rep)
		}
	}
	if l.IsList() {
		m.ends[layer] = append(m.ends[layer], m.count(layer-1))
	}
}

func randomLayers(rng *rand.Rand) []Layer {
	leaf := []Layer{AllValidItem, NullableItem}
	layers := []Layer{leaf[rng.IntN(2)]}
	for range rng.IntN(5) {
		layers = append(layers, Layer(1+rng.IntN(6)))
	}
	return layers
}

func TestUnravelRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		layers := randomLayers(rng)
		t.Run(fmt.Sprint(layers), func(t *testing.T) {
			var segs []Segment
			m := newModel(layers)
			schema, err := NewSchema(layers)
			require.NoError(t, err)
			for range 1 + rng.IntN(3) { // several pages of the same layers
				m.rep, m.def = nil, nil
				before := m.leaves
				for range 1 + rng.IntN(6) {
					m.write(m.random(rng, len(layers)-1), len(layers)-1, 0)
				}
				seg := Segment{Schema: schema, Values: m.leaves - before}
				if schema.MaxRep > 0 {
					seg.Rep = m.rep
				}
				if schema.MaxDef > 0 {
					seg.Def = m.def
				}
				segs = append(segs, seg)
			}
			c, err := NewColumn(segs)
			require.NoError(t, err)
			for i, l := range layers {
				n := len(m.valid[i])
				bitmap := make([]byte, (n+7)/8)
				var nulls int
				if l.IsList() {
					lists, err := c.Lists()
					require.NoError(t, err)
					require.Equal(t, n, lists)
					has := c.HasNulls()
					if !has {
						bitmap = nil
					}
					offsets := make([]int32, n+1)
					nulls, err = Offsets(c, offsets, bitmap, len(m.valid[i-1]))
					require.NoError(t, err)
					want := []int32{0}
					for _, e := range m.ends[i] {
						want = append(want, int32(e))
					}
					require.Equal(t, want, offsets)
				} else {
					nulls, err = c.Validity(bitmap, n)
					require.NoError(t, err)
				}
				if bitmap == nil {
					continue // NULLs of outer layers show as empty lists
				}
				// A layer that has no NULLs of its own does not repeat those of the layers around it.
				if !l.hasNulls() {
					continue
				}
				count := 0
				for k, v := range m.valid[i] {
					require.Equal(t, v, bitmap[k/8]>>(k%8)&1 == 1, "layer %d value %d", i, k)
					if !v {
						count++
					}
				}
				require.Equal(t, count, nulls)
			}
			_, err = c.Validity(nil, 0)
			require.ErrorContains(t, err, "has more")
		})
	}
}

func TestCorruptLevels(t *testing.T) {
	s, err := NewSchema([]Layer{NullableItem, NullAndEmptyList})
	require.NoError(t, err)
	require.EqualValues(t, 1, s.MaxRep)
	require.EqualValues(t, 3, s.MaxDef)
	require.EqualValues(t, 1, s.MaxVisible)
	require.False(t, s.Simple())
	for name, seg := range map[string]Segment{
		"rep":      {Schema: s, Rep: []uint16{2}, Def: []uint16{0}, Values: 1},
		"def":      {Schema: s, Rep: []uint16{1}, Def: []uint16{4}, Values: 1},
		"length":   {Schema: s, Rep: []uint16{1, 0}, Def: []uint16{0}, Values: 1},
		"values":   {Schema: s, Rep: []uint16{1, 0}, Def: []uint16{0, 0}, Values: 1},
		"no lists": {Schema: s, Values: 1},
	} {
		_, err := NewColumn([]Segment{seg})
		require.Error(t, err, name)
	}
	c, err := NewColumn([]Segment{{Schema: s, Rep: []uint16{0, 1}, Def: []uint16{0, 0}, Values: 2}})
	require.NoError(t, err)
	_, err = Offsets(c, make([]int32, 2), make([]byte, 1), 2)
	require.ErrorContains(t, err, "does not fit")
	_, err = c.Validity(make([]byte, 1), 2)
	require.NoError(t, err)
	_, err = Offsets(c, make([]int32, 2), make([]byte, 1), 2)
	require.ErrorContains(t, err, "start with a list")
	for _, layers := range [][]Layer{nil, {0}, {7}, make([]Layer, 2000)} {
		_, err := NewSchema(layers)
		require.Error(t, err)
	}
}

func TestDecimate(t *testing.T) {
	s, err := NewSchema([]Layer{NullableItem, NullableItem})
	require.NoError(t, err)
	c, err := NewColumn([]Segment{{Schema: s, Def: []uint16{0, 1, 2, 2}, Values: 4}})
	require.NoError(t, err)
	bitmap := make([]byte, 1)
	nulls, err := c.Validity(bitmap, 4)
	require.NoError(t, err)
	require.Equal(t, 3, nulls)
	require.NoError(t, c.Decimate(2))
	bitmap[0] = 0
	nulls, err = c.Validity(bitmap, 2)
	require.NoError(t, err)
	require.Equal(t, 1, nulls)
	require.EqualValues(t, 1, bitmap[0])
	require.Error(t, c.Decimate(0))
}

func TestControlWord(t *testing.T) {
	for _, bits := range [][2]uint32{{0, 0}, {0, 1}, {1, 0}, {1, 2}, {4, 4}, {5, 4}, {8, 8}, {9, 8}, {16, 16}, {0, 12}} {
		w, err := NewControlWord(bits[0], bits[1])
		require.NoError(t, err)
		bytes := map[uint32]int{0: 0, 1: 1, 3: 1, 8: 1, 9: 2, 12: 2, 16: 2, 17: 4, 32: 4}
		require.Equal(t, bytes[bits[0]+bits[1]], w.Bytes)
		rep, def := uint16(1<<bits[0]-1), uint16(1<<bits[1]/2)
		v := uint64(rep)<<bits[1] | uint64(def)
		r, d := w.Parse([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
		if bits[0] == 0 {
			rep = 0
		}
		if bits[1] == 0 {
			def = 0
		}
		require.Equal(t, []uint16{rep, def}, []uint16{r, d}, "%v", bits)
	}
	_, err := NewControlWord(17, 0)
	require.Error(t, err)
}

func FuzzUnravel(f *testing.F) {
	f.Add([]byte{3, 6, 3, 2}, []byte{2, 0, 1, 1, 0, 3, 2, 6}, uint8(3))
	f.Fuzz(func(t *testing.T, kinds, entries []byte, values uint8) {
		layers := make([]Layer, len(kinds))
		for i, k := range kinds {
			layers[i] = Layer(k)
		}
		s, err := NewSchema(layers)
		if err != nil {
			return
		}
		seg := Segment{Schema: s, Values: int(values)}
		for i := 0; i+1 < len(entries); i += 2 {
			seg.Rep = append(seg.Rep, uint16(entries[i]))
			seg.Def = append(seg.Def, uint16(entries[i+1]))
		}
		if s.MaxDef == 0 {
			seg.Def = nil
		}
		c, err := NewColumn([]Segment{seg})
		if err != nil {
			return
		}
		n := int(values)
		for _, l := range layers {
			if l.IsList() {
				lists, err := c.Lists()
				if err != nil {
					return
				}
				offsets := make([]int64, lists+1)
				if _, err := Offsets(c, offsets, make([]byte, (lists+7)/8), n); err != nil {
					return
				}
				for i := range lists {
					if offsets[i] > offsets[i+1] || offsets[i+1] > int64(n) {
						t.Fatalf("offsets %v of %d", offsets, n)
					}
				}
				n = lists
			} else if _, err := c.Validity(make([]byte, (n+7)/8), n); err != nil {
				return
			}
		}
	})
}
