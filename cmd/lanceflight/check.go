package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lanceflight/check"
	"lanceflight/inspect"
	"lanceflight/lancefmt"
)

func newCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check URI",
		Short: "Verify a table: files, pages, counts, row ids, indices",
		Long: "Verify that a table is whole: each file that its versions name is there and has the stated size, each\n" +
			"page decodes, and row counts, row ids and indices agree. Files that no version names are listed too.\n" +
			"All versions of all branches are checked unless --version, --tag or --branch names one.\n\n" +
			"Exit status: 0 no errors (there may be warnings), 1 the table is damaged, 2 the check could not be made,\n" +
			"130 interrupted. docs/TOOLS.md has the codes of problems and the fields of the JSON.",
		Args: func(cmd *cobra.Command, args []string) error { return couldNot(cobra.ExactArgs(1)(cmd, args)) },
		RunE: func(cmd *cobra.Command, args []string) error {
			err := runCheck(cmd, args)
			if errors.Is(err, errFindings) {
				return err
			}
			return couldNot(err)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return couldNot(err) })
	f := cmd.Flags()
	f.Uint64("version", 0, "`number` of the only version to check")
	f.String("tag", "", "check only the version with this `name`")
	f.String("branch", "", "check only the latest version of this branch, or --version of it")
	f.Int("workers", 0, "`number` of pages decoded at a time; one for each core if not given")
	f.Int("max-problems", 0, "most problems reported; 1000 if not given")
	f.Bool("no-progress", false, "no progress bar, on a terminal either")
	f.String("format", "text", "text or json")
	f.StringSlice("allow-base", nil, "`paths` below which a manifest may name files outside of the table")
	return cmd
}

// couldNot gives an error the exit status of a check that was not made.
func couldNot(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return statusError{errors.New("interrupted"), exitInterrupted}
	}
	return statusError{err, exitNotChecked}
}

const (
	exitNotChecked  = 2
	exitInterrupted = 130 // as a shell has it for SIGINT
)

func runCheck(cmd *cobra.Command, args []string) error {
	v, err := settings(cmd)
	if err != nil {
		return err
	}
	format := v.GetString("format")
	if format != "text" && format != "json" {
		return fmt.Errorf("--format: %q is neither text nor json", format)
	}
	ref, err := refFlags(v)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	t, err := lancefmt.Open(ctx, args[0], lancefmt.Options{AllowBases: v.GetStringSlice("allow-base")})
	if err != nil {
		return err
	}
	defer t.Close()
	opts := check.Options{Ref: ref,
		Workers: v.GetInt("workers"), MaxProblems: v.GetInt("max-problems")}
	stop := func() {}
	if !v.GetBool("no-progress") {
		opts.Progress, stop = progressBar(cmd.ErrOrStderr(), "checking "+t.Name())
	}
	report, err := check.Run(ctx, t, opts)
	stop()
	if err != nil {
		return err
	}
	if err := write(cmd.OutOrStdout(), format, report); err != nil {
		return err
	}
	switch {
	case !report.OK:
		return errFindings
	case report.Checked.Versions == 0:
		return errors.New("nothing was checked")
	}
	return nil
}

// write writes a report as text or JSON.
func write(w io.Writer, format string, r inspect.Report) error {
	if format == "json" {
		return inspect.WriteJSON(w, r)
	}
	if width := terminal(w); width > 0 {
		w = inspect.Terminal{Writer: w, Width: width}
	}
	return r.WriteText(w)
}
