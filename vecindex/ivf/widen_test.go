package ivf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWidenByTheShareThatPasses(t *testing.T) {
	for _, c := range []struct {
		probed, limit int
		met, passed   int64
		want          int
	}{
		{20, 80, 1000, 1000, 0}, {20, 80, 1000, 500, 20}, {20, 80, 1000, 400, 30}, {20, 80, 1000, 100, 60}, {20, 80, 1000, 999, 0},
		{20, 80, 1000, 0, 0}, {80, 80, 1000, 10, 0}, {90, 80, 1000, 10, 0}, {1, 4, 3, 1, 2}, {0, 4, 0, 0, 0},
	} {
		require.Equal(t, c.want, widen(c.probed, c.limit, c.met, c.passed), "%+v", c)
	}
}
