package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/migrate"
)

// importManager is who the API server says set the fields that were imported.
const importManager = "kf-import"

// intent is one object, and what would become of it.
type intent struct {
	object  *unstructured.Unstructured
	of      dynamic.ResourceInterface
	live    *unstructured.Unstructured // nil if there is none yet
	changes []string                   // of fields; nothing of one that is there: it stays
	refusal string
}

// compare shows what would change, and with --apply changes it: not before the API server has looked at everything.
func (o *importer) compare(ctx context.Context, plan *migrate.Plan) error {
	if err := o.connect(); err != nil {
		return err
	}
	apps, err := o.intents(ctx, "apps", plan.Apps)
	if err != nil {
		return err
	}
	jobs, err := o.intents(ctx, "taskschedules", plan.Jobs)
	if err != nil {
		return err
	}
	owners, err := o.owners(ctx, apps)
	if err != nil {
		return err
	}
	all := slices.Concat(apps, jobs)
	refused := 0
	for _, i := range all {
		if err := o.look(ctx, i, owners); err != nil {
			return err
		}
		if o.show(i); i.refusal != "" && !o.force {
			refused++
		}
	}
	switch {
	case refused > 0 && o.apply:
		return fmt.Errorf("%d objects can't be taken over, above: nothing is applied; --force changes what others made too", refused)
	case !o.apply:
		return nil
	}
	for n, i := range all {
		if err := o.write(ctx, i, owners); err != nil {
			return fmt.Errorf("%w; %d of %d objects are applied: say it again, and the rest is", err, n, len(all))
		}
	}
	o.printf("%d Apps and %d Jobs are as imported. `kf jobs --space %s` shows the Jobs.\n", len(apps), len(jobs), o.space)
	return nil
}

// intents are what is to be of one kind, each with what is there.
func (o *importer) intents(ctx context.Context, resource string, objects []*unstructured.Unstructured) (all []*intent, err error) {
	d, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return nil, err
	}
	of := d.Resource(v1alpha1.GroupVersion.WithResource(resource)).Namespace(o.space)
	wanted := map[string]*intent{}
	for _, object := range objects {
		object.SetNamespace(o.space)
		i := &intent{object: object, of: of}
		wanted[object.GetName()] = i
		all = append(all, i)
	}
	if len(all) == 0 {
		return nil, nil
	}
	for live, err := range client.All[*unstructured.Unstructured](ctx, of, metav1.ListOptions{}) {
		if err != nil {
			return nil, fmt.Errorf("list %s of Space %s: %w", resource, o.space, err)
		}
		if i := wanted[live.GetName()]; i != nil {
			i.live = live
		}
	}
	return all, nil
}

// owners are the Apps that Jobs belong to, by name: those that are there. A Job goes with its App.
func (o *importer) owners(ctx context.Context, apps []*intent) (map[string]*unstructured.Unstructured, error) {
	owners := map[string]*unstructured.Unstructured{}
	for _, i := range apps {
		owners[i.object.GetName()] = i.live
	}
	if _, made := owners[o.App]; made || o.App == "" {
		return owners, nil
	}
	app, err := o.app(ctx, o.App)
	if err != nil {
		return nil, err
	}
	owner := &unstructured.Unstructured{Object: map[string]any{}}
	owner.SetName(app.Name)
	owner.SetUID(app.UID)
	owners[o.App] = owner
	return owners, nil
}

// own makes a Job its App's.
func own(i *intent, owners map[string]*unstructured.Unstructured) {
	name, _, _ := unstructured.NestedString(i.object.Object, "spec", "taskTemplate", "appRef", "name")
	if owner := owners[name]; owner != nil {
		i.object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, v1alpha1.GroupVersion.WithKind("App"))})
	}
}

// look asks the API server what would become of an object.
func (o *importer) look(ctx context.Context, i *intent, owners map[string]*unstructured.Unstructured) error {
	own(i, owners)
	options := metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}
	after, err := i.patch(ctx, options)
	if apierrors.IsConflict(err) {
		i.refusal = conflict(err)
		yes := true
		options.Force = &yes
		after, err = i.patch(ctx, options)
	}
	if err != nil {
		return fmt.Errorf("%s %s would be refused, and nothing is applied: %w", kindOf(i.object), i.object.GetName(), err)
	}
	if i.live == nil {
		return nil
	}
	i.changes = differing(i.live, after)
	if makers, foreign := othersMade(i.live); foreign && len(i.changes) > 0 && i.refusal == "" {
		i.refusal = "it was made by " + makers
	}
	return nil
}

func (i *intent) patch(ctx context.Context, options metav1.PatchOptions) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(i.object.Object)
	if err != nil {
		return nil, err
	}
	options.FieldManager = importManager
	return i.of.Patch(ctx, i.object.GetName(), types.ApplyPatchType, readableYAML(body), options)
}

// readableYAML is JSON without the characters that YAML has only as escapes (yaml.org, c-printable): what is applied is read as YAML.
func readableYAML(body []byte) (out []byte) {
	for _, r := range string(body) {
		if r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// conflict is whose the fields are that would be changed.
func conflict(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return err.Error()
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		fields = append(fields, strings.TrimPrefix(cause.Field, ".")+" ("+cause.Message+")")
	}
	return "others set " + strings.Join(fields, ", ")
}

// othersMade says whether an object was never imported, and who made it.
func othersMade(live *unstructured.Unstructured) (makers string, foreign bool) {
	var names []string
	for _, m := range live.GetManagedFields() {
		if m.Subresource != "" {
			continue
		}
		if m.Manager == importManager {
			return "", false
		}
		if !slices.Contains(names, m.Manager) {
			names = append(names, m.Manager)
		}
	}
	return cmp.Or(strings.Join(names, ", "), "others"), true
}

// differing are the fields that differ of two objects, without those that the API server keeps.
func differing(before, after *unstructured.Unstructured) (changes []string) {
	for _, part := range [][]string{{"metadata", "labels"}, {"metadata", "ownerReferences"}, {"spec"}} {
		was, _, _ := unstructured.NestedFieldNoCopy(before.Object, part...)
		is, _, _ := unstructured.NestedFieldNoCopy(after.Object, part...)
		changes = append(changes, differences(strings.Join(part, "."), was, is)...)
	}
	return changes
}

func differences(at string, was, is any) (changes []string) {
	if reflect.DeepEqual(was, is) {
		return nil
	}
	a, aIsMap := was.(map[string]any)
	b, bIsMap := is.(map[string]any)
	if aIsMap && bIsMap {
		keys := maps.Clone(a)
		maps.Copy(keys, b)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			changes = append(changes, differences(at+"."+key, a[key], b[key])...)
		}
		return changes
	}
	c, aIsList := was.([]any)
	d, bIsList := is.([]any)
	if aIsList && bIsList && len(c) == len(d) {
		for i := range c {
			changes = append(changes, differences(fmt.Sprintf("%s[%d]", at, i), c[i], d[i])...)
		}
		return changes
	}
	return []string{at + ": " + brief(was) + " -> " + brief(is)}
}

// brief is a value in one row.
func brief(v any) string {
	if v == nil {
		return "none"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return inert.Fit(string(b), widest)
}

func kindOf(object *unstructured.Unstructured) string {
	if object.GetKind() == "TaskSchedule" {
		return "Job"
	}
	return object.GetKind()
}

func (o *importer) show(i *intent) {
	what := "unchanged"
	switch {
	case i.live == nil:
		what = "added"
	case len(i.changes) > 0:
		what = "changed"
	}
	o.printf("%-9s %-3s %s\n", what, kindOf(i.object), i.object.GetName())
	for _, change := range i.changes {
		o.printf("            %s\n", change)
	}
	if i.refusal != "" {
		o.progress("%s %s: %s", kindOf(i.object), i.object.GetName(), i.refusal)
	}
}

// write applies one object, unless that would change nothing.
func (o *importer) write(ctx context.Context, i *intent, owners map[string]*unstructured.Unstructured) error {
	if i.object.GetKind() == "TaskSchedule" {
		own(i, owners)
	}
	if i.live != nil && len(i.changes) == 0 {
		return nil
	}
	got, err := i.patch(ctx, metav1.PatchOptions{Force: &o.force})
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", kindOf(i.object), i.object.GetName(), err)
	}
	if got.GetKind() == "App" {
		owners[got.GetName()] = got
	}
	return nil
}
