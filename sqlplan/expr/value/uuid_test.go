package value

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// The forms are those of PostgreSQL's documentation of the type, and what its server accepts and refuses.
func TestParseUUID(t *testing.T) {
	const want = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
	for _, text := range []string{
		want, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
		"a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
	} {
		u, ok := ParseUUID(text)
		require.True(t, ok, text)
		require.Equal(t, want, FormatUUID(u[:]))
	}
	for _, text := range []string{
		"", "{}", "{", "-", want[1:], want + "0", want + "-", "-" + want, "{" + want, want + "}", "{{" + want + "}}", " " + want,
		"a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11", "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1ö",
	} {
		_, ok := ParseUUID(text)
		require.False(t, ok, text)
	}
}

func FuzzParseUUID(f *testing.F) {
	f.Add("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ParseUUID(text)
		want, err := uuid.Parse(text)
		// The library takes fewer forms, but for a prefix of URNs and for any pair of characters as braces.
		if err == nil && (len(text) == 36 || len(text) == 32) && (!ok || got != [16]byte(want)) {
			t.Fatalf("%q is %v, %v", text, got, ok)
		}
		if again, _ := ParseUUID(FormatUUID(got[:])); ok && again != got {
			t.Fatalf("%q does not come back", text)
		}
	})
}
