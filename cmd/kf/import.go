package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/migrate"
)

type importer struct {
	*target
	migrate.Options
	vars               manifestFlags
	from               string
	diff, apply, force bool
}

func newImport(t *target) *cobra.Command {
	o := &importer{target: t}
	c := &cobra.Command{
		Use:   "import FILE [FILE...]",
		Short: "Make Apps and Jobs of Cloud Foundry's manifests and dumps, CronJobs, and crontabs",
		Long: `import reads what other schedulers have on record, and prints the Apps and Jobs that it comes to as YAML. On
standard error it says of each what can't be carried over, why, and what to do. Nothing is changed without --apply.

A FILE is a file, a folder (its files *.yml, *.yaml, *.json, *.cron and crontab*), or - for standard input:
  cf-manifest   a manifest.yml
  cf-apps       cf curl "/v3/apps?per_page=5000", /v3/processes, /v3/packages, /v3/apps/GUID/env
  cf-tasks      cf curl "/v3/tasks?per_page=5000"
  cf-jobs       /jobs, /jobs/GUID/schedules and /calls of PCF Scheduler
  cronjobs      kubectl get cronjobs -o yaml
  crontab       crontab -l, or with --system /etc/crontab
What each is, it tells by itself, or --from does. Files of Cloud Foundry belong together: name them all at once.

--apply applies all or nothing: first the API server looks at everything. Said twice it changes nothing the second time. It never
deletes, and does not change what others made, unless --force says so.`,
		Example: `  # look first
  kf import apps.json jobs.json schedules.json
  kf import apps.json jobs.json schedules.json --diff --space shop

  # then do it
  kf import apps.json jobs.json schedules.json --apply --space shop

  # a crontab (crontab -l > crontab.txt), for an App that is there
  kf import crontab.txt --app shop --time-zone Europe/Berlin --apply

  # the CronJobs of another namespace: kubectl get cronjobs -n old -o yaml, through a pipe
  kf import - --diff --space shop`,
		Args: cobra.MinimumNArgs(1),
		RunE: o.run,
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "what the files are: "+strings.Join(migrate.Forms, ", ")+"; told by their content when left out")
	f.StringVar(&o.App, "app", "", "App of a crontab's lines, and of jobs whose app no file names")
	f.StringVar(&o.Image, "image", "", "image of Apps that have none of their own; with --app, of that App")
	f.StringVar(&o.Zone, "time-zone", "", "IANA name of the zone of crontabs and CronJobs that name none; UTC when left out")
	f.BoolVar(&o.System, "system", false, "crontabs have a user before the command, as /etc/crontab has")
	f.BoolVar(&o.diff, "diff", false, "show what would change in the Space, in place of the YAML")
	f.BoolVar(&o.apply, "apply", false, "change it")
	f.BoolVar(&o.force, "force", false, "with --apply, change what others made too")
	o.vars.valueFlags(f)
	_ = c.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(migrate.Forms, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (o *importer) run(cmd *cobra.Command, args []string) (err error) {
	o.From = migrate.Form(o.from)
	switch {
	case o.From.Check() != nil:
		return o.From.Check()
	case o.force && !o.apply:
		return errors.New("--force is for --apply")
	case o.diff && o.apply:
		return errors.New("--diff only looks, and --apply shows what it changes: say one of them")
	}
	if o.Vars, err = o.vars.values(); err != nil {
		return err
	}
	files, err := filesOf(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	plan := migrate.Read(files, o.Options)
	for _, r := range plan.Remarks {
		o.progress("%s", r)
	}
	for _, f := range plan.Faults {
		o.progress("Fault: %s", f)
	}
	switch n := len(plan.Apps) + len(plan.Jobs); {
	case len(plan.Faults) > 0:
		return fmt.Errorf("there are %d faults in the input, above: none of it is used", len(plan.Faults))
	case n == 0:
		return errors.New("there is nothing to import in these files")
	}
	o.progress("%d Apps, %d Jobs; %d remarks.", len(plan.Apps), len(plan.Jobs), len(plan.Remarks))
	if o.diff || o.apply {
		return o.compare(cmd.Context(), plan)
	}
	return o.yaml(plan)
}

// filesOf reads files, those of folders, and standard input.
func filesOf(args []string, stdin io.Reader) (files []migrate.File, err error) {
	for _, arg := range args {
		if arg == "-" {
			text, err := io.ReadAll(io.LimitReader(stdin, migrate.MaxSize+1))
			if err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			files = append(files, migrate.File{Name: "standard input", Text: text})
			continue
		}
		names := []string{arg}
		if info, err := os.Stat(arg); err != nil {
			return nil, err
		} else if info.IsDir() {
			if names, err = importable(arg); err != nil {
				return nil, err
			}
		}
		for _, name := range names {
			text, err := readUpTo(name, migrate.MaxSize+1)
			if err != nil {
				return nil, err
			}
			files = append(files, migrate.File{Name: name, Text: text})
		}
	}
	return files, nil
}

// importable are the files of a folder whose names say that they may be meant, in order.
func importable(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		hidden := at != dir && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return filepath.SkipDir
		case d.Type().IsRegular() && !hidden && (strings.HasPrefix(d.Name(), "crontab") ||
			slices.Contains([]string{".yml", ".yaml", ".json", ".cron"}, filepath.Ext(at))):
			names = append(names, at)
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("there is no file *.yml, *.yaml, *.json, *.cron or crontab* in %s", dir)
	}
	return names, err
}

// yaml prints objects, in the Space if one was named. What would act on a terminal is escaped.
func (o *importer) yaml(plan *migrate.Plan) error {
	for i, object := range slices.Concat(plan.Apps, plan.Jobs) {
		if o.space != "" {
			object.SetNamespace(o.space)
		}
		text, err := documentOf(object)
		if err != nil {
			return err
		}
		if i > 0 {
			o.printf("---\n")
		}
		o.document(text)
	}
	return nil
}

// documentOf is an object as YAML, or as JSON, which is YAML too, where it has what only JSON can escape.
func documentOf(object *unstructured.Unstructured) (string, error) {
	b, err := json.MarshalIndent(object.Object, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	text := escaped(string(b)) + "\n"
	if y, err := yaml.JSONToYAML([]byte(text)); err == nil && escaped(string(y)) == string(y) {
		return string(y), nil
	}
	return text, nil
}
