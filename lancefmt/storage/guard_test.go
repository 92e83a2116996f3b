package storage

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGuardLetsOtherPanicsPass(t *testing.T) {
	require.PanicsWithValue(t, "bug", func() { _ = Guard(func() error { panic("bug") }) })
	var p *int
	require.Panics(t, func() { _ = Guard(func() error { *p = 1; return nil }) })
	require.ErrorContains(t, Guard(func() error { return errors.New("plain") }), "plain")
}
