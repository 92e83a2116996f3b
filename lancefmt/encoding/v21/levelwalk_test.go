package v21

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt/encoding/levels"
)

// Rows are found where a walk over single levels finds them, in one go or several.
func TestSeekRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 7))
	for range 200 {
		s := &levels.Schema{MaxRep: uint16(1 + rng.IntN(2)), MaxDef: 3, MaxVisible: 1}
		rep, def := make([]uint16, rng.IntN(500)), make([]uint16, 500)
		share := 1 + rng.IntN(100)
		for i := range rep {
			if rng.IntN(share) == 0 {
				rep[i] = s.MaxRep
			} else {
				rep[i] = uint16(rng.IntN(int(s.MaxRep)))
			}
			def[i] = uint16(rng.IntN(4))
		}
		def = def[:len(rep)]
		if rng.IntN(3) == 0 {
			def = nil
		}
		var starts, before []int // levels at which rows start, values before them
		values := 0
		for i := range rep {
			if rep[i] == s.MaxRep {
				starts, before = append(starts, i), append(before, values)
			}
			if def == nil || def[i] <= s.MaxVisible {
				values++
			}
		}
		starts, before = append(starts, len(rep)), append(before, values)
		w := levelWalk{rep: rep, def: def, schema: s}
		for row := 0; row < len(starts); row += 1 + rng.IntN(1+rng.IntN(60)) {
			w.seek(int64(row))
			require.Equal(t, starts[row], w.level)
			require.Equal(t, before[row], w.value)
			require.EqualValues(t, row, w.row)
		}
		w.seek(int64(len(starts)))
		require.Equal(t, len(rep), w.level)
		require.Equal(t, values, w.value)
	}
}
