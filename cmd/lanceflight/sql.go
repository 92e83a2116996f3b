package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan"
)

func newSQL() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sql [--connect grpc://HOST:PORT | URI ...] 'SELECT ...'",
		Short: "Run one SQL statement",
		Long: "Run one statement on the tables of the URIs, in this process, or on a running server.\n" +
			"The last argument is the statement; without a URI it runs on the embedded sample.",
		Args: cobra.MinimumNArgs(1),
		RunE: runSQL,
	}
	f := cmd.Flags()
	f.String("connect", "", "`URL` of a server: grpc://HOST:PORT or grpc+tls://HOST:PORT")
	f.String("user", "", "user name for --connect")
	f.String("password", "", "password for --connect (better: LANCEFLIGHT_PASSWORD)")
	f.String("format", "table", "table, csv, json (one object per line) or arrow (IPC stream)")
	f.StringSlice("allow-base", nil, "`paths` below which tables may have files outside of their folder, as shallow clones have")
	f.String("memory-limit", "", "memory the statement may use, such as 2GiB")
	return cmd
}

func runSQL(cmd *cobra.Command, args []string) error {
	v, err := settings(cmd)
	if err != nil {
		return err
	}
	uris, text := args[:len(args)-1], args[len(args)-1]
	sink, err := newSink(v.GetString("format"), cmd.OutOrStdout())
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if server := v.GetString("connect"); server != "" {
		if len(uris) > 0 {
			return errors.New("give --connect or URIs, not both")
		}
		return runRemote(ctx, server, v.GetString("user"), v.GetString("password"), text, sink)
	}
	engine, _, closeEngine, err := openEngine(ctx, uris, v.GetStringSlice("allow-base"), v.GetString("memory-limit"), slog.Default())
	if err != nil {
		return err
	}
	defer closeEngine()
	p, err := engine.Prepare(ctx, sqlplan.Session{}, text, nil)
	if err != nil {
		return err
	}
	// Batches may alias mapped files: a file cut short under us must be an error, not the end.
	return storage.Guard(func() error {
		stream, err := p.Execute(ctx, sqlplan.ExecOptions{})
		if err != nil {
			return err
		}
		defer stream.Close()
		if p.Schema().NumFields() == 0 { // it returns no rows: nothing to print
			_, err := stream.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		return drain(p.Schema(), sink, func() (arrow.RecordBatch, error) { return stream.Next(ctx) })
	})
}

// drain writes all batches to a sink, releasing each.
func drain(schema *arrow.Schema, sink sink, next func() (arrow.RecordBatch, error)) error {
	if err := sink.begin(schema); err != nil {
		return err
	}
	for {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return sink.end()
		}
		if err != nil {
			return err
		}
		err = sink.write(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// runRemote runs a statement on a server through arrow-go's Flight SQL client.
func runRemote(ctx context.Context, server, user, password, text string, sink sink) error {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return fmt.Errorf("--connect: %q is no URL such as grpc://127.0.0.1:32010", server)
	}
	creds := insecure.NewCredentials()
	switch u.Scheme {
	case "grpc", "grpc+tcp":
	case "grpc+tls", "grpcs":
		creds = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	default:
		return fmt.Errorf("--connect: scheme %q, want grpc or grpc+tls", u.Scheme)
	}
	client, err := flightsql.NewClientCtx(ctx, u.Host, nil, nil, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", server, err)
	}
	defer client.Close()
	if user != "" {
		if ctx, err = client.Client.AuthenticateBasicToken(ctx, user, password); err != nil {
			return remoteError(err)
		}
	}
	info, err := client.Execute(ctx, text)
	if err != nil {
		return remoteError(err)
	}
	if len(info.Endpoint) == 0 {
		return errors.New("the server returned no endpoint")
	}
	for i, e := range info.Endpoint {
		if err := readEndpoint(ctx, client, e, i == 0, i == len(info.Endpoint)-1, sink); err != nil {
			return remoteError(err)
		}
	}
	return nil
}

func readEndpoint(ctx context.Context, client *flightsql.Client, e *flight.FlightEndpoint, first, last bool, sink sink) error {
	rdr, err := client.DoGet(ctx, e.GetTicket())
	if err != nil {
		return err
	}
	defer rdr.Release()
	if rdr.Schema().NumFields() == 0 {
		return rdr.Err() // it returns no rows: nothing to print
	}
	if first {
		if err := sink.begin(rdr.Schema()); err != nil {
			return err
		}
	}
	for rdr.Next() {
		if err := sink.write(rdr.RecordBatch()); err != nil {
			return err
		}
	}
	if err := rdr.Err(); err != nil || !last {
		return err
	}
	return sink.end()
}

// remoteError shows the server's message without gRPC's wrapping.
func remoteError(err error) error {
	var grpcErr interface{ GRPCStatus() *status.Status }
	if errors.As(err, &grpcErr) {
		return errors.New(strings.TrimSpace(grpcErr.GRPCStatus().Message()))
	}
	return err
}
