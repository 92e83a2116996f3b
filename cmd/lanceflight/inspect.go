package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"lanceflight/inspect"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage/stores"
)

func newInspect() *cobra.Command {
	cmd := &cobra.Command{
		Use: "inspect URI [schema | versions | tags | branches | fragments | columns | pages COLUMN | indexes |" +
			" transaction | page FRAGMENT COLUMN PAGE]",
		Short: "Show what is on disk",
		Long: "Show a table, or one part of it. Columns are named by path, such as key or meta.width.\n" +
			"`page` prints the bytes of one page with what they mean.\n" +
			"The URI may also be a single file: a data or index file (then `bytes` shows its structure and\n" +
			"`page COLUMN PAGE` a page), a manifest, a deletion file or a transaction.",
		Args: cobra.MinimumNArgs(1),
		RunE: runInspect,
	}
	f := cmd.Flags()
	f.Uint64("version", 0, "`number` of the version; the latest if not given")
	f.String("tag", "", "the version with this `name`")
	f.String("branch", "", "the version on this branch")
	f.Bool("per-file", false, "columns: one line for each file")
	f.Int("lines", 0, "most lines shown of a buffer's bytes; 200 if not given")
	f.String("format", "text", "text or json")
	f.StringSlice("allow-base", nil, "`paths` below which a manifest may name files outside of the table")
	return cmd
}

func runInspect(cmd *cobra.Command, args []string) error {
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
	var report inspect.Report
	if store, name, isFile := stores.FindObject(ctx, args[0]); isFile {
		report, err = inspect.File(ctx, store, name, args[1:], v.GetInt("lines"))
		if err != nil {
			return err
		}
	} else {
		t, err := lancefmt.Open(ctx, args[0], lancefmt.Options{AllowBases: v.GetStringSlice("allow-base")})
		if err != nil {
			return err
		}
		defer t.Close()
		report, err = topic(ctx, t, ref, args[1:], v.GetInt("lines"), v.GetBool("per-file"))
		if err != nil {
			return err
		}
	}
	return write(cmd.OutOrStdout(), format, report)
}

// refFlags is the version that the flags name. --version 0 would mean the latest one in silence.
func refFlags(v *viper.Viper) (lancefmt.Ref, error) {
	ref := lancefmt.Ref{Version: v.GetUint64("version"), Tag: v.GetString("tag"), Branch: v.GetString("branch")}
	if ref.Version == 0 && v.IsSet("version") {
		return ref, fmt.Errorf("--version: there is no version 0; the first version of a table is 1")
	}
	return ref, nil
}

// topic makes the report that the arguments name.
func topic(ctx context.Context, t *lancefmt.Table, ref lancefmt.Ref, args []string, lines int, perFile bool) (inspect.Report, error) {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	want := map[string]int{"pages": 1, "page": 3}[name]
	if len(args) != want {
		return nil, fmt.Errorf("inspect %s: %d arguments instead of %d; see lanceflight inspect --help", name, len(args), want)
	}
	switch name { // those that need no version
	case "versions":
		return inspect.Versions(ctx, t, ref.Branch)
	case "tags":
		return inspect.Tags(ctx, t)
	case "branches":
		return inspect.Branches(ctx, t)
	}
	s, err := t.Snapshot(ctx, ref)
	if err != nil {
		return nil, err
	}
	switch name {
	case "":
		return inspect.Summarize(ctx, s)
	case "schema":
		return inspect.Schema(s), nil
	case "fragments":
		return inspect.Fragments(ctx, s)
	case "columns":
		return inspect.Columns(ctx, s, perFile)
	case "pages":
		return inspect.Pages(ctx, s, args[0])
	case "indexes", "indices":
		return inspect.Indexes(ctx, s)
	case "transaction":
		return inspect.Transaction(ctx, s, lines)
	case "page":
		fragment, err := strconv.ParseUint(args[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("inspect page: fragment %q is not a number", args[0])
		}
		page, err := strconv.Atoi(args[2])
		if err != nil {
			return nil, fmt.Errorf("inspect page: page %q is not a number", args[2])
		}
		return inspect.Page(ctx, s, uint32(fragment), args[1], page, lines)
	}
	return nil, errors.New("inspect: no topic " + strconv.Quote(name) + "; see lanceflight inspect --help")
}
