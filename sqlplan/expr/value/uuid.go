package value

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/google/uuid"
)

// TypeUUID is SQL's UUID: Arrow's canonical extension type arrow.uuid over fixed_size_binary(16). It
// compares, sorts and groups as its bytes, and is text to whoever casts it.
var TypeUUID arrow.DataType = extensions.NewUUIDType()

const uuidBytes = 16

// ParseUUID reads a UUID as PostgreSQL does: 32 hexadecimal digits in either case, with a hyphen after
// any group of four, and all of it in braces or not.
func ParseUUID(text string) (u [16]byte, ok bool) {
	if n := len(text); n >= 2 && text[0] == '{' && text[n-1] == '}' {
		text = text[1 : n-1]
	}
	digits := 0
	for i := range len(text) {
		c := text[i]
		var v byte
		switch {
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		case c >= 'A' && c <= 'F':
			v = c - 'A' + 10
		case c == '-' && digits%4 == 0 && digits > 0 && digits < 32 && text[i-1] != '-':
			continue
		default:
			return u, false
		}
		if digits == 32 {
			return u, false
		}
		u[digits/2] = u[digits/2]<<4 | v
		digits++
	}
	return u, digits == 32
}

// FormatUUID writes 16 bytes as a UUID in lower case, with hyphens.
func FormatUUID(b []byte) string { return uuid.UUID(b).String() }
