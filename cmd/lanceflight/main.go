// Command lanceflight serves Lance tables to Flight SQL clients.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

// version is set by the linker: -X main.version=….
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errFindings) { // which are printed
			fmt.Fprintln(os.Stderr, "lanceflight:", err)
		}
		stop()
		os.Exit(exitStatus(err))
	}
}

// errFindings is what check returns where it found errors.
var errFindings = errors.New("errors were found")

// statusError is an error with an exit status of its own.
type statusError struct {
	error
	status int
}

func (e statusError) Unwrap() error { return e.error }

// exitStatus is 1 unless an error says otherwise.
func exitStatus(err error) int {
	var s statusError
	if errors.As(err, &s) {
		return s.status
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "lanceflight",
		Short:         "Arrow Flight SQL over Lance tables",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().String("config", "", "YAML `file` with the same names as the flags")
	root.AddCommand(newServe(), newSQL(), newInspect(), newCheck())
	return root
}

// settings merges a command's flags, its environment variables LANCEFLIGHT_… and the file of --config;
// a flag wins over the environment, which wins over the file.
func settings(cmd *cobra.Command) (*viper.Viper, error) {
	v := viper.New()
	v.SetEnvPrefix("LANCEFLIGHT")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	if err := v.BindPFlags(cmd.Flags()); err != nil {
		return nil, err
	}
	if file := v.GetString("config"); file != "" {
		v.SetConfigFile(file)
		v.SetConfigType("yaml")
		if err := v.ReadInConfig(); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		for _, key := range v.AllKeys() {
			if cmd.Flags().Lookup(key) == nil {
				return nil, fmt.Errorf("read %s: unknown setting %q", file, key)
			}
		}
	}
	return v, nil
}
