package storage

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

func TestGuardLetsOtherPanicsPass(t *testing.T) {
	require.PanicsWithValue(t, "bug", func() { _ = Guard(func() error { panic("bug") }) })
	var p *int
	require.Panics(t, func() { _ = Guard(func() error { *p = 1; return nil }) })
	require.ErrorContains(t, Guard(func() error { return errors.New("plain") }), "plain")
}

func TestContainMakesErrorsOfPanics(t *testing.T) {
	require.NoError(t, Contain("a test", func() error { return nil }))
	plain := errors.New("plain")
	require.Equal(t, plain, Contain("a test", func() error { return plain }))
	var p *int
	for want, fn := range map[string]func() error{
		"internal error in a test: bug":                                   func() error { panic("bug") },
		"internal error in a test: runtime error: invalid memory address": func() error { *p = 1; return nil },
	} {
		err := Contain("a test", fn)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "guard_test.go", "the stack names where it happened")
		require.Equal(t, fault.Internal, fault.KindOf(err))
	}
}
