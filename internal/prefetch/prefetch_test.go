package prefetch

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLinesChangeNothing(t *testing.T) {
	Lines(nil)
	b := bytes.Repeat([]byte{1, 2, 3}, 1000)
	want := bytes.Clone(b)
	for from := range 130 {
		for n := range 130 {
			Lines(b[from:][:n])
		}
	}
	Lines(b)
	require.Equal(t, want, b)
}
