package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/manifest"
)

// manifestFlags say which manifest a push reads, and with what in place of its variables.
type manifestFlags struct {
	file      string
	none      bool
	vars      []string
	varsFiles []string
}

func (m *manifestFlags) flags(f *pflag.FlagSet) {
	f.StringVarP(&m.file, "manifest", "f", "", "manifest, or its folder; manifest.yml of the current folder when left out, if there is one")
	f.BoolVar(&m.none, "no-manifest", false, "leave the manifest in the current folder aside")
	m.valueFlags(f)
}

// valueFlags are those of a manifest's ((variables)).
func (m *manifestFlags) valueFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&m.vars, "var", nil, "NAME=VALUE in place of ((NAME)) in the manifest; may be given several times")
	f.StringArrayVar(&m.varsFiles, "vars-file", nil, "file of YAML with values of the manifest's ((variables)); may be given several times")
}

// manifestNames are those of a manifest, in the order in which Cloud Foundry looks for it.
var manifestNames = []string{"manifest.yml", "manifest.yaml"}

// find says where the manifest is, "" if there is none.
func (m manifestFlags) find() (string, error) {
	if m.none {
		if m.file != "" {
			return "", errors.New("--manifest and --no-manifest are each other's opposite")
		}
		return "", nil
	}
	dir := m.file
	if dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return dir, err
		}
	}
	for _, name := range manifestNames {
		at := filepath.Join(dir, name)
		if _, err := os.Stat(at); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return at, err
		}
	}
	if dir != "" {
		return "", fmt.Errorf("there is no %s in %s", manifestNames[0], dir)
	}
	return "", nil
}

// values are those of a manifest's ((variables)).
func (m manifestFlags) values() (manifest.Vars, error) {
	vars := manifest.Vars{}
	for _, name := range m.varsFiles {
		text, err := readBounded(name)
		if err == nil {
			err = vars.AddFile(text)
		}
		if err != nil {
			return nil, fmt.Errorf("--vars-file %s: %w", name, err)
		}
	}
	for _, pair := range m.vars {
		if err := vars.Add(pair); err != nil {
			return nil, fmt.Errorf("--var %w", err)
		}
	}
	return vars, nil
}

// read reads the manifest.
func (m manifestFlags) read(file string) (*manifest.Manifest, error) {
	vars, err := m.values()
	if err != nil {
		return nil, err
	}
	text, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	read, err := manifest.Parse(text, vars)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return read, nil
}

// readBounded reads a file of YAML, a little more than one may have.
func readBounded(name string) ([]byte, error) { return readUpTo(name, manifest.MaxSize+1) }

func readUpTo(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// apps are what is to be pushed: the flags alone, or the manifest's Apps with the flags over them.
func (o *push) apps(flags *pflag.FlagSet, args []string, from manifestFlags) ([]*push, error) {
	file, err := from.find()
	if err != nil {
		return nil, err
	}
	if file == "" {
		if len(from.vars)+len(from.varsFiles) > 0 {
			return nil, errors.New("--var and --vars-file are for a manifest, and there is none")
		}
		if len(args) == 0 {
			return nil, errors.New("name the App: kf push APP_NAME --task; there is no manifest.yml here that would")
		}
		one := *o
		one.name = args[0]
		return []*push{&one}, nil
	}
	read, err := from.read(file)
	if err != nil {
		return nil, err
	}
	for _, w := range read.Warnings {
		o.progress("Warning: %s: %s", file, w)
	}
	chosen, err := choose(read.Applications, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(chosen) > 1 {
		if flag := ofOneApp(flags); flag != "" {
			return nil, fmt.Errorf("--%s is for one App, and %s has %d: name one", flag, file, len(chosen))
		}
	}
	apps := make([]*push, len(chosen))
	for i, app := range chosen {
		apps[i] = o.over(app, filepath.Dir(file))
	}
	return apps, nil
}

// ofOneApp is a flag that was given and says something of one App, "" if none was.
func ofOneApp(flags *pflag.FlagSet) (found string) {
	ofAll := []string{"task", "async", "manifest", "no-manifest", "var", "vars-file", "container-registry",
		"space", "namespace", "kubeconfig", "context"}
	flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains(ofAll, f.Name) {
			found = f.Name
		}
	})
	return found
}

// choose picks the App that is named, or all. A manifest's only App may have no name.
func choose(apps []manifest.Application, args []string) ([]manifest.Application, error) {
	if len(args) == 0 {
		for _, app := range apps {
			if app.Name == "" {
				return nil, fmt.Errorf("line %d: the App has no name: write it there, or kf push APP_NAME --task", app.Line)
			}
		}
		return apps, nil
	}
	var others []string
	for _, app := range apps {
		if app.Name == args[0] {
			return []manifest.Application{app}, nil
		}
		others = append(others, app.Name)
	}
	if len(apps) == 1 && apps[0].Name == "" {
		apps[0].Name = args[0]
		return apps, nil
	}
	return nil, fmt.Errorf("there is no App %q in it, but %s; --no-manifest leaves it aside", args[0], strings.Join(others, ", "))
}

// over is what the flags say over what the manifest says of an App; dir is the manifest's folder.
func (o *push) over(app manifest.Application, dir string) *push {
	one := *o
	one.name = app.Name
	if !o.source.given() && o.image == "" {
		one.image = app.DockerImage
	}
	if o.image == "" {
		if one.source.dir == "" && app.Path != "" {
			if one.source.dir = app.Path; !filepath.IsAbs(app.Path) {
				one.source.dir = filepath.Join(dir, app.Path)
			}
		}
		if len(one.source.buildpacks) == 0 {
			one.source.buildpacks = app.Buildpacks
		}
		one.source.wished = app.Stack
	}
	if one.command == nil {
		one.command = app.Command
	}
	one.env = nil
	for _, v := range app.Env {
		one.env = append(one.env, v.Name+"="+v.Value)
	}
	one.env = append(one.env, o.env...)
	for _, r := range []struct {
		flag *string
		said string
	}{{&one.cpu, app.CPU}, {&one.memory, app.Memory}, {&one.disk, app.Disk}} {
		if *r.flag == "" {
			*r.flag = r.said
		}
	}
	one.services = app.Services
	return &one
}

// findServices says whether the manifest's services are there, before anything is written.
func (o *push) findServices(ctx context.Context) error {
	for _, s := range o.services {
		if _, err := o.findService(ctx, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// bind binds the App to those of the manifest's services that it is not bound to yet. What it is bound to besides stays.
func (o *push) bind(ctx context.Context, app metav1.Object) error {
	for _, s := range o.services {
		b, err := client.Find(ctx, o.kf.Bindings(o.space), o.space, v1alpha1.BindingName(o.name, s.Name))
		if err != nil {
			return err
		}
		if b != nil && b.DeletionTimestamp == nil && b.Spec.BindingNameOverride == s.BindingName {
			continue
		}
		if err := o.bindTo(ctx, wish{app: app, service: s.Name, name: s.BindingName, params: []byte("{}"), async: o.async}); err != nil {
			return err
		}
	}
	return nil
}
