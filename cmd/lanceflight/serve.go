package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"lanceflight/flightsrv"
	"lanceflight/internal/sample"
	"lanceflight/internal/sqlname"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [URI ...]",
		Short: "Serve Lance tables to Flight SQL clients",
		Long: "Serve Lance tables. Each URI is one NAME.lance directory or a directory that holds several.\n" +
			"Without a URI an embedded sample of 1,000 rows in the shape of LAION-1M is served as table train.",
		RunE: runServe,
	}
	f := cmd.Flags()
	f.String("addr", "127.0.0.1:32010", "address to listen on; port 0 picks a free one")
	f.Bool("read-only", true, "refuse statements that write (this version writes nothing)")
	f.String("tls-cert", "", "PEM `file` with the server's certificate")
	f.String("tls-key", "", "PEM `file` with its key")
	f.String("tls-client-ca", "", "PEM `file`: clients must show a certificate of this authority")
	f.String("auth", "", "`file` of users, one name:hash per line (bcrypt or argon2id)")
	f.String("ticket-key", "", "`file` with the key that signs tickets, shared between replicas")
	f.StringSlice("allow-base", nil, "`paths` below which tables may have files outside of their folder, as shallow clones have")
	f.String("memory-limit", "", "memory a statement may use, such as 2GiB (default: a quarter of the machine's)")
	f.String("statement-timeout", "0", "longest a statement may run, such as 30s; 0 for no limit")
	f.Int("max-connections", 0, "connections at once; 0 for no limit")
	f.String("log-format", "text", "text or json")
	f.String("log-level", "warn", "debug, info, warn or error")
	f.Bool("insecure", false, "listen beyond loopback without TLS and users")
	f.Duration("drain", 10*time.Second, "how long statements under way may go on after SIGTERM")
	return cmd
}

func runServe(cmd *cobra.Command, uris []string) error {
	v, err := settings(cmd)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	log, err := newLogger(cmd.ErrOrStderr(), v.GetString("log-format"), v.GetString("log-level"))
	if err != nil {
		return err
	}

	opts := flightsrv.Options{Version: version, Log: log, MaxConnections: v.GetInt("max-connections")}
	if opts.TLS, err = tlsConfig(v); err != nil {
		return err
	}
	if file := v.GetString("auth"); file != "" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("open user file: %w", err)
		}
		defer f.Close()
		if opts.Users, err = flightsrv.ParseUsers(f); err != nil {
			return err
		}
	}
	if file := v.GetString("ticket-key"); file != "" {
		if opts.TicketKey, err = os.ReadFile(file); err != nil {
			return fmt.Errorf("read ticket key: %w", err)
		}
	}
	if t := v.GetString("statement-timeout"); t != "" && t != "0" {
		if opts.StatementTimeout, err = time.ParseDuration(t); err != nil {
			return fmt.Errorf("--statement-timeout: %w", err)
		}
	}

	lis, err := net.Listen("tcp", v.GetString("addr"))
	if err != nil {
		return fmt.Errorf("listen on %s: %w", v.GetString("addr"), err)
	}
	defer lis.Close()
	if !v.GetBool("insecure") && !isLoopback(lis.Addr()) && (opts.TLS == nil || opts.Users == nil) {
		return fmt.Errorf("%s is reachable from other machines: give --tls-cert, --tls-key and --auth, or say --insecure", lis.Addr())
	}

	engine, cat, closeEngine, err := openEngine(ctx, uris, v.GetStringSlice("allow-base"), v.GetString("memory-limit"), log)
	if err != nil {
		return err
	}
	defer closeEngine()
	srv, err := flightsrv.New(engine, cat, opts)
	if err != nil {
		return err
	}
	entries, err := cat.Entries(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		if names[i] = e.Name; e.Schema != catalog.SchemaName {
			names[i] = sqlname.QuoteIfNeeded(e.Schema) + "." + sqlname.QuoteIfNeeded(e.Name)
		}
	}
	if err := cat.Problem(ctx); err != nil {
		log.Warn("some tables are not served", "error", err)
	}

	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "lanceflight %s ready on %s serving %s\n", version, grpcURL(lis.Addr(), opts.TLS != nil), tableList(names))
	printSnippets(out, lis.Addr(), opts.TLS != nil, opts.Users != nil, names)

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "stopping: new statements are refused, those under way may finish")
	drain, cancel := context.WithTimeout(context.Background(), v.GetDuration("drain"))
	defer cancel()
	srv.Shutdown(drain)
	return <-served
}

// openEngine opens the tables, or the embedded sample for none, and the engine over them.
func openEngine(ctx context.Context, uris, allowBases []string, memoryLimit string, log *slog.Logger) (*sqlplan.Engine,
	*catalog.Catalog, func(), error) {
	cleanup := func() {}
	if len(uris) == 0 {
		dir, err := os.MkdirTemp("", "lanceflight-sample-")
		if err != nil {
			return nil, nil, nil, fmt.Errorf("make room for the sample table: %w", err)
		}
		cleanup = func() { os.RemoveAll(dir) }
		path, err := sample.Extract(dir)
		if err != nil {
			cleanup()
			return nil, nil, nil, err
		}
		uris = []string{path}
	}
	limit, err := parseMemory(memoryLimit)
	if err != nil {
		cleanup()
		return nil, nil, nil, err
	}
	cat, err := catalog.Open(ctx, uris, catalog.Options{Table: lancefmt.Options{AllowBases: allowBases}})
	if err != nil {
		cleanup()
		return nil, nil, nil, err
	}
	engine := sqlplan.NewEngine(cat, sqlplan.Options{MemoryLimitBytes: limit, Workers: runtime.GOMAXPROCS(0), Version: version, Log: log})
	// Column data lives in mapped files and reference-counted buffers outside the collector's sight;
	// its own heap may grow to the statement limit before it works harder.
	debug.SetGCPercent(200)
	return engine, cat, func() {
		engine.Close()
		cat.Close()
		cleanup()
	}, nil
}

// parseMemory reads a size such as 512MiB; "" is a quarter of the machine's memory.
func parseMemory(s string) (int64, error) {
	if s != "" {
		n, err := humanize.ParseBytes(s)
		if err != nil || n > 1<<62 {
			return 0, fmt.Errorf("--memory-limit: %q is no size such as 2GiB", s)
		}
		return int64(n), nil
	}
	total := int64(4 << 30) // where the machine does not tell
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int64
		if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kib); err == nil {
			total = kib << 10
		}
	}
	return total / 4, nil
}

func tlsConfig(v *viper.Viper) (*tls.Config, error) {
	certFile, keyFile, caFile := v.GetString("tls-cert"), v.GetString("tls-key"), v.GetString("tls-client-ca")
	if certFile == "" && keyFile == "" {
		if caFile != "" {
			return nil, errors.New("--tls-client-ca needs --tls-cert and --tls-key")
		}
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load TLS certificate: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read client authority: %w", err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", caFile)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format: %q is neither text nor json", format)
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func tableList(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "no table yet"
	}
	word := "table"
	if len(names) > 1 {
		word = "tables"
	}
	list := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		list += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return word + " " + list
}
