package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kf-tasks/kf-tasks/shared/registry"
	"github.com/kf-tasks/kf-tasks/shared/source"
)

// envOfBuild is the variable that has the environment of the build, as a JSON object.
const envOfBuild = "KF_BUILD_ENV"

type preparation struct {
	image, into, platform, program, secrets, registry, log string
	insecure                                               list
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// prepare does the work of the first step. What fails is told as a result as well.
func prepare(ctx context.Context, phase string, args []string, out io.Writer) (err error) {
	var s preparation
	f := flag.NewFlagSet(phase, flag.ContinueOnError)
	f.StringVar(&s.image, "image", "", "image of the source")
	f.StringVar(&s.into, "into", "", "directory for the source")
	f.StringVar(&s.platform, "platform", "", "directory for the environment of buildpacks")
	f.StringVar(&s.program, "program", "", "where to copy this program to")
	f.StringVar(&s.secrets, "secrets", "", "directory of the pull secrets")
	f.StringVar(&s.registry, "registry", "", "directory to write config.json to, made of the pull secrets")
	f.StringVar(&s.log, "log", "", "file to write a failure to")
	f.Var(&s.insecure, "insecure-registry", "host that is spoken to by plain HTTP")
	if err := f.Parse(args); err != nil {
		return err
	}
	defer func() {
		switch {
		case err != nil && ctx.Err() != nil:
			err = errors.Join(err, tell(s.log, stopped(phase)))
		case err != nil:
			err = errors.Join(err, tell(s.log, fmt.Sprintf("%s: %v", phase, err)))
		}
	}()
	if s.program != "" {
		if err := copyProgram(s.program); err != nil {
			return err
		}
	}
	if s.registry != "" {
		if err := writeCredentials(s.secrets, s.registry); err != nil {
			return err
		}
	}
	if phase == "prepare" {
		return nil
	}
	if err := writeEnv(s.platform, os.Getenv(envOfBuild)); err != nil {
		return err
	}
	return s.fetch(ctx, out)
}

// fetch pulls the source and unpacks it.
func (s preparation) fetch(ctx context.Context, out io.Writer) error {
	var options []name.Option
	if host, _, _ := strings.Cut(s.image, "/"); slices.Contains(s.insecure, host) {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(s.image, options...)
	if err != nil {
		return fmt.Errorf("the image of the source: %w", err)
	}
	if err := os.Setenv("DOCKER_CONFIG", s.registry); err != nil {
		return err
	}
	image, err := remote.Image(ref,
		remote.WithContext(ctx), remote.WithTransport(registry.Transport()), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		_, _ = fmt.Fprintln(out, err) // for the log; an App's status has no words of a registry's
		return fmt.Errorf("pull the source %s: %s", ref, registry.Reason(err))
	}
	summary, err := unpack(image, s.into)
	if err != nil {
		return fmt.Errorf("unpack the source %s: %w", ref, err)
	}
	_, err = fmt.Fprintf(out, "%d files of source from %s\n", summary.Files, ref)
	return err
}

// unpack writes the source of an image into a folder; nothing leaves that, whoever made the image.
func unpack(image v1.Image, into string) (summary source.Summary, err error) {
	layers, err := image.Layers()
	if err != nil {
		return summary, err
	}
	if len(layers) != 1 {
		return summary, fmt.Errorf("it has %d layers, and an image of source has one: push it with kf", len(layers))
	}
	r, err := registry.Open(layers[0])
	if err != nil {
		return summary, err
	}
	summary, err = source.Untar(r, into, source.DefaultLimits)
	return summary, errors.Join(err, r.Close())
}

// copyProgram copies this program to where steps of other images can run it.
func copyProgram(to string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Close())
}

// writeEnv writes the environment of buildpacks, a file for each variable (buildpacks/spec, platform.md, "User-Provided Variables").
func writeEnv(platform, env string) error {
	dir := filepath.Join(platform, "env")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	variables := map[string]string{}
	if env != "" {
		if err := json.Unmarshal([]byte(env), &variables); err != nil {
			return fmt.Errorf("the environment of the build: %w", err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, value := range variables {
		if err := root.WriteFile(name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("the variable %.80q of the build: %w", name, err)
		}
	}
	return nil
}

// writeCredentials makes one config.json, as Docker has it, of the pull secrets, of either type. Of two that know one registry the
// first counts, as with the kubelet.
func writeCredentials(secrets, to string) error {
	auths := map[string]json.RawMessage{}
	found, err := filepath.Glob(filepath.Join(secrets, "*", ".docker*"))
	if err != nil {
		return err
	}
	slices.Sort(found)
	for _, file := range found {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var config struct {
			Auths map[string]json.RawMessage `json:"auths"`
		}
		if filepath.Base(file) == ".dockercfg" {
			err = json.Unmarshal(b, &config.Auths)
		} else {
			err = json.Unmarshal(b, &config)
		}
		if err != nil {
			return errors.New("a pull secret is not JSON, as kubectl create secret docker-registry makes it") // not its text
		}
		for host, auth := range config.Auths {
			if _, known := auths[host]; !known {
				auths[host] = auth
			}
		}
	}
	b, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "config.json"), b, 0o600)
}
