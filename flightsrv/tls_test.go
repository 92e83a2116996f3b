package flightsrv

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	s := startServer(t, Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	}})
	ctx := context.Background()

	roots := x509.NewCertPool()
	roots.AddCert(cert)
	good, err := flightsql.NewClient(s.addr, nil, nil, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "")))
	require.NoError(t, err)
	defer good.Close()
	info, err := good.Execute(ctx, "SELECT key FROM train WHERE key < 3")
	require.NoError(t, err)
	require.EqualValues(t, 3, rows(t, good, info))

	for name, creds := range map[string]credentials.TransportCredentials{
		"plaintext": insecure.NewCredentials(), "unknown authority": credentials.NewClientTLSFromCert(x509.NewCertPool(), ""),
	} {
		c, err := flightsql.NewClient(s.addr, nil, nil, grpc.WithTransportCredentials(creds))
		require.NoError(t, err)
		_, err = c.Execute(ctx, "SELECT 1")
		require.Equal(t, codes.Unavailable, status.Code(err), name)
		require.NoError(t, c.Close())
	}
}
