package fault

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlaceShowsInTheText(t *testing.T) {
	err := Place(fmt.Errorf("chunk 3: %w", Corruptf("7 bytes of 9")), "", -1, 2, 640)
	err = fmt.Errorf("read column %q: %w", "key", err)
	err = Place(err, "data/a.lance", 4, 9, 1)
	require.EqualError(t, err, `corrupt file data/a.lance, column 4, page 2, offset 640: read column "key": chunk 3: 7 bytes of 9`)
	require.Equal(t, Corrupt, KindOf(err))
	var ce *CorruptError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, 2, ce.Page)
}

func TestPlaceLeavesOthersAlone(t *testing.T) {
	complete := fmt.Errorf("fragment 1: %w", &CorruptError{File: "f", Column: 1, Page: 2, Offset: 3, Msg: "m"})
	require.Same(t, complete, Place(complete, "g", 9, 9, 9))
	plain := errors.New("x")
	require.Same(t, plain, Place(plain, "g", 9, 9, 9))
	other := New(Unavailable, "gone: %w", Corruptf("m"))
	require.Same(t, other, Place(other, "g", 9, 9, 9))
}
