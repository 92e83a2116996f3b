package flightsrv

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/metadata"
)

func testUsers(t *testing.T, names ...string) *Users {
	t.Helper()
	var file strings.Builder
	for _, name := range names {
		hash, err := bcrypt.GenerateFromPassword([]byte("of "+name), bcrypt.MinCost)
		require.NoError(t, err)
		file.WriteString(name + ":" + string(hash) + "\n")
	}
	u, err := ParseUsers(strings.NewReader(file.String()))
	require.NoError(t, err)
	return u
}

// as returns a context whose calls carry a user's name and password.
func as(ctx context.Context, name string) context.Context {
	credential := base64.StdEncoding.EncodeToString([]byte(name + ":of " + name))
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+credential)
}

func TestUsers(t *testing.T) {
	bc, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.MinCost)
	require.NoError(t, err)
	salt := []byte("saltsaltsaltsalt")
	key := argon2.IDKey([]byte("pä:ss"), salt, 1, 64, 1, 32)
	argon := fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(key))
	u, err := ParseUsers(strings.NewReader("# who may come in\n\nann:" + string(bc) + "\nbob:" + argon + "\n"))
	require.NoError(t, err)
	for range 2 { // the second time from the memory of good passwords
		require.True(t, u.verify("ann", "s3cret"))
		require.True(t, u.verify("bob", "pä:ss"))
		require.False(t, u.verify("ann", "wrong"))
		require.False(t, u.verify("bob", "s3cret"))
		require.False(t, u.verify("eve", "s3cret"))
		require.False(t, u.verify("", ""))
	}
}

func TestUserFilesThatAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "ann\n", ":hash\n", "ann:plaintext\n", "ann:$2b$04$short\n",
		"ann:$argon2id$v=19$m=64,t=1,p=1$c2FsdA\n",
		"ann:$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2V5\n",
		"ann:$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2V5\n",
	} {
		_, err := ParseUsers(strings.NewReader(text))
		require.Error(t, err, text)
	}
}
