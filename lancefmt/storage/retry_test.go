package storage_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/faulty"
	"lanceflight/lancefmt/storage/mem"
)

var quick = storage.RetryOptions{Attempts: 3, Backoff: time.Microsecond, AttemptTimeout: 20 * time.Millisecond}

func faultyWith(t *testing.T, faults ...faulty.Fault) (*faulty.Store, storage.Store) {
	m := mem.New()
	m.Put("data/a", []byte("0123456789"))
	f := faulty.Wrap(m, faults...)
	return f, storage.NewRetrying(f, quick)
}

func readA(s storage.Store) (string, error) {
	ctx := context.Background()
	o, err := s.Open(ctx, "data/a", -1)
	if err != nil {
		return "", err
	}
	defer o.Close()
	b, err := o.ReadRanges(ctx, []storage.Range{{Offset: 2, Length: 3}})
	if err != nil {
		return "", err
	}
	defer b[0].Release()
	return string(b[0].Bytes()), nil
}

func TestRetryOfWhatMayPass(t *testing.T) {
	gone := fault.New(fault.Unavailable, "the network is gone")
	for _, f := range []faulty.Fault{{OpenErr: gone, Times: 2}, {ReadErr: gone, Times: 2}, {Delay: time.Second, Times: 2}} {
		_, s := faultyWith(t, f)
		got, err := readA(s)
		require.NoError(t, err)
		require.Equal(t, "234", got)
	}
}

func TestRetryEnds(t *testing.T) {
	for want, f := range map[string]faulty.Fault{
		"the network is gone (after 3 attempts)":                {OpenErr: fault.New(fault.Unavailable, "the network is gone")},
		"slow (after 3 attempts)":                               {ReadErr: fault.New(fault.Unavailable, "slow")},
		"open data/a: no answer within 20ms (after 3 attempts)": {Delay: time.Minute},
	} {
		_, s := faultyWith(t, f)
		_, err := readA(s)
		require.EqualError(t, err, want)
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
	}
}

func TestNoRetryOfWhatIsFinal(t *testing.T) {
	for _, kind := range []fault.Kind{fault.NotFound, fault.PermissionDenied, fault.Corrupt, fault.InvalidArgument,
		fault.ResourceExhausted} {
		err := fault.New(kind, "no")
		if kind == fault.Corrupt {
			err = fault.Corruptf("no")
		}
		_, s := faultyWith(t, faulty.Fault{ReadErr: err, Times: 1}) // a second attempt would succeed
		_, got := readA(s)
		require.Equal(t, err, got)
	}
	_, s := faultyWith(t, faulty.Fault{CutAt: 3, Times: 1})
	_, err := readA(s)
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
}

func TestRetryHeedsTheCaller(t *testing.T) {
	_, s := faultyWith(t, faulty.Fault{OpenErr: fault.New(fault.Unavailable, "no")})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Open(ctx, "data/a", -1)
	require.Error(t, err)
	_, s = faultyWith(t, faulty.Fault{Delay: time.Minute})
	ctx, cancel = context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = s.Open(ctx, "data/a", -1)
	require.Equal(t, fault.DeadlineExceeded, fault.KindOf(err), "%v", err)
}

// flakyPut makes the object and then says that it failed, as a server does whose answer is lost.
type flakyPut struct {
	storage.Store
	calls int
}

func (f *flakyPut) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	f.calls++
	if err := f.Store.PutIfAbsent(ctx, name, data); err != nil {
		return err
	}
	return fault.New(fault.Unavailable, "the answer is lost")
}

func TestNoRetryOfWrites(t *testing.T) {
	f := &flakyPut{Store: mem.New()}
	err := storage.NewRetrying(f, quick).PutIfAbsent(context.Background(), "x", []byte("1"))
	require.EqualError(t, err, "the answer is lost")
	require.Equal(t, 1, f.calls)
}
