package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/calendar"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// blackout is what set-blackout and unset-blackout have in common: whose it is.
type blackout struct {
	*target
	app string
	all bool

	policy, note, zone, from, to, icalendar string
	days                                    []string
}

func newSetBlackout(t *target) *cobra.Command {
	o := &blackout{target: t}
	c := &cobra.Command{
		Use:   "set-blackout BLACKOUT_NAME",
		Short: "Set when no Job of an App or a Space starts by its schedule",
		Long: `set-blackout gives an App or the whole Space a blackout, in place of the one of that name: by two times, by days of the week
and times of day, or by the events of an iCalendar file. Instants in it are skipped (Skip), or run when it is over: each of them (Shift),
or the latest (RunAfter). Those that run go on, and run-job runs a Job all the same. What of iCalendar is read is in docs/jobs.md; a file
with more is refused.`,
		Example: `  kf set-blackout christmas --all --from 2026-12-24T12:00 --to 2026-12-27T00:00 --time-zone Europe/Berlin
  kf set-blackout backup --app shop --days Fri,Sat --from 22:00 --to 06:00 --policy Shift --note "the database is backed up"
  kf set-blackout holidays --all --icalendar holidays.ics --policy RunAfter`,
		Args: cobra.ExactArgs(1),
		RunE: o.set,
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.policy, "policy", string(v1alpha1.BlackoutSkip), "what becomes of the instants in it: Skip, Shift or RunAfter")
	f.StringVar(&o.note, "note", "", "why, for whoever asks; at most 1024 characters")
	f.StringVar(&o.from, "from", "", "when it begins: 2026-12-24T12:00, or of a weekly one 22:00")
	f.StringVar(&o.to, "to", "", "when it ends")
	f.StringSliceVar(&o.days, "days", nil, "the days on which a weekly one begins: Mon,Tue,Wed,Thu,Fri,Sat,Sun; every day when left out")
	f.StringVar(&o.icalendar, "icalendar", "", "an iCalendar file whose events it is, or - for standard input; at most 64 KiB")
	f.StringVar(&o.zone, "time-zone", "", "IANA name of the zone of its times, e.g. Europe/Berlin; UTC when left out")
	return c
}

func newUnsetBlackout(t *target) *cobra.Command {
	o := &blackout{target: t}
	c := &cobra.Command{
		Use:   "unset-blackout BLACKOUT_NAME",
		Short: "Take a blackout from an App or a Space",
		Long:  `unset-blackout takes a blackout away. What it held back to be run later is run by the next tick.`,
		Example: `  kf unset-blackout backup --app shop
  kf unset-blackout christmas --all`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.change(cmd.Context(), args[0], nil)
		},
	}
	o.flags(c)
	return c
}

func (o *blackout) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.app, "app", "", "of this App")
	c.Flags().BoolVar(&o.all, "all", false, "of the whole Space")
}

func (o *blackout) set(cmd *cobra.Command, args []string) error {
	b, err := o.described(cmd, args[0])
	if err != nil {
		return coded{exitUsage, err}
	}
	if _, err := calendar.Of("this command", []v1alpha1.Blackout{b}); err != nil {
		return coded{exitUsage, err}
	}
	return o.change(cmd.Context(), b.Name, &b)
}

// described is the blackout of the command line.
func (o *blackout) described(cmd *cobra.Command, name string) (v1alpha1.Blackout, error) {
	b := v1alpha1.Blackout{Name: name, Note: o.note, Policy: v1alpha1.BlackoutPolicy(o.policy), TimeZone: o.zone}
	switch b.Policy {
	case v1alpha1.BlackoutSkip, v1alpha1.BlackoutShift, v1alpha1.BlackoutRunAfter:
	default:
		return b, fmt.Errorf("--policy is Skip, Shift or RunAfter, not %q", o.policy)
	}
	zone, err := schedule.LoadZone(o.zone)
	switch {
	case err != nil:
		return b, err
	case o.icalendar != "" && (o.from != "" || o.to != "" || len(o.days) > 0):
		return b, errors.New("--icalendar says when it is: leave out --from, --to and --days")
	case o.icalendar != "":
		b.ICalendar, err = o.file(cmd)
		return b, err
	case o.from == "" || o.to == "":
		return b, errors.New("say when: --from and --to, with --days or without, or --icalendar")
	}
	if len(o.days) > 0 || len(o.from) == len("22:00") {
		for _, d := range o.days {
			if !slices.Contains([]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}, d) {
				return b, fmt.Errorf("--days are of Mon,Tue,Wed,Thu,Fri,Sat,Sun, not %q", d)
			}
		}
		b.Weekly = &v1alpha1.WeeklyWindow{Days: o.days, From: o.from, To: o.to}
		return b, nil
	}
	from, err := instantIn(o.from, zone)
	to, wrong := instantIn(o.to, zone)
	switch {
	case err != nil || wrong != nil:
		return b, errors.New("--from and --to are times, such as 2026-12-24T12:00, or of each day, such as 22:00")
	case !from.Before(to):
		return b, errors.New("--from must be before --to")
	case !to.After(time.Now()):
		return b, errors.New("--to is over: such a blackout holds nothing back")
	}
	b.TimeZone = ""
	b.From, b.To = &metav1.Time{Time: from}, &metav1.Time{Time: to}
	return b, nil
}

const maxICalendar = 64 << 10 // as the schema has it

// file is the iCalendar file.
func (o *blackout) file(cmd *cobra.Command) (string, error) {
	in := cmd.InOrStdin()
	if o.icalendar != "-" {
		f, err := os.Open(o.icalendar)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxICalendar+1))
	if len(b) > maxICalendar {
		return "", fmt.Errorf("%s has more than %d KiB: leave out events that are over, or use several blackouts",
			o.icalendar, maxICalendar>>10)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n"), err
}

// change puts a blackout into the list of an App's or the Space's, or takes it out: a list has no patch but the whole list, so it holds
// only for the object that was read.
func (o *blackout) change(ctx context.Context, name string, b *v1alpha1.Blackout) error {
	switch {
	case (o.app != "") == o.all:
		return coded{exitUsage, errors.New("say whose: --app APP_NAME, or --all for the whole Space")}
	case o.app != "":
		app, err := o.target.app(ctx, o.app)
		if err != nil {
			return err
		}
		return putBlackout(ctx, o.target, o.kf.Apps(o.space), app, "App "+app.Name, app.Spec.Blackouts, name, b)
	}
	if err := o.connect(); err != nil {
		return err
	}
	space, err := o.spaceObject(ctx, o.space)
	if err != nil {
		return err
	}
	return putBlackout(ctx, o.target, o.kf.Spaces(), space, "Space "+space.Name, space.Spec.Blackouts, name, b)
}

func putBlackout[T any](
	ctx context.Context, t *target, c patcher[*T], obj metav1.Object, of string, all []v1alpha1.Blackout, name string, b *v1alpha1.Blackout,
) error {
	named := func(b v1alpha1.Blackout) bool { return b.Name == name }
	if b == nil && !slices.ContainsFunc(all, named) {
		return notFound("%s has no blackout %q", of, name)
	}
	kept := slices.DeleteFunc(slices.Clone(all), named)
	if b != nil {
		kept = append(kept, *b)
	}
	if _, err := client.Merge(ctx, c, obj, client.Change{Spec: map[string]any{"blackouts": kept}, IfUnchanged: true}); err != nil {
		return fmt.Errorf("blackout %s of %s: %w", name, of, err)
	}
	if b == nil {
		t.printf("%s has no blackout %s any more.\n", of, name)
		return nil
	}
	t.printf("%s has the blackout %s (%s).\n", of, name, b.Policy)
	windows, err := calendar.Of(of, []v1alpha1.Blackout{*b})
	now := time.Now()
	if over, known := windows.Over(now); err == nil && known && over.After(now) {
		t.printf("It is on now, until %s.\n", over.UTC().Format(time.RFC3339))
	}
	return nil
}
