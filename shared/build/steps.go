package build

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Where things are in the steps.
const (
	// appDir is not buildpacks' default, /workspace: over that Tekton mounts a directory of its own in each step, and so in each
	// Task that runs the image (shared/image).
	appDir      = "/app"
	layersDir   = "/layers"
	platformDir = "/platform"
	stepDir     = "/kf/step"        // the step program, which the steps of the builder image run
	registryDir = "/kf/registry"    // DOCKER_CONFIG, in the steps only that speak to registries
	secretsDir  = "/kf/credentials" // the pull secrets that it is made from, in the step source only

	lifecycle   = "/cnb/lifecycle/"
	platformAPI = "0.13" // the first that has -insecure-registry
	envOfBuild  = "KF_BUILD_ENV"
)

// program is the step program in its image, where ko puts it, and the copy of it.
var program, programCopy = "/ko-app/step", path.Join(stepDir, "step")

// buildTask has the phases of Cloud Native Buildpacks (buildpacks/spec, platform.md) as steps. Those that run what buildpacks and source
// bring, detect and build, see no credentials, and can change nothing that a later step runs.
func buildTask(in Inputs, o Options, im image) tekton.TaskSpec {
	insecure := o.insecureFlags()
	previous := given("-previous-image", im.previous)
	analyze := slices.Concat(words("-layers", layersDir, "-cache-image", im.cache),
		given("-run-image", in.Run), previous, insecure, words(im.output))
	restore := slices.Concat(words("-layers", layersDir, "-cache-image", im.cache), insecure)
	export := slices.Concat(words("-layers", layersDir, "-app", appDir, "-cache-image", im.cache), insecure, words(im.output))
	folders := words("-layers", layersDir, "-app", appDir, "-platform", platformDir)
	detect := folders
	var order []string
	if len(in.Buildpacks) > 0 {
		order = words("-buildpacks", strings.Join(in.Buildpacks, ","), "-order", layersDir+"/order.toml")
		detect = slices.Concat(folders, words("-order", layersDir+"/order.toml"))
	}
	return task(o,
		sourceStep(in, o),
		o.phase("analyze", in.Builder, "analyzer", registries, nil, analyze),
		o.phase("detect", in.Builder, "detector", sources, order, detect),
		o.phase("restore", in.Builder, "restorer", registries, nil, restore),
		o.working(o.phase("build", in.Builder, "builder", sources, nil, folders)),
		o.phase("export", in.Builder, "exporter", slices.Concat(registries, sources), words("-report", layersDir+"/report.toml"), export),
	)
}

// rebaseTask puts the newest run image under the layers of an image, which takes seconds: no layer is moved.
func rebaseTask(in Inputs, o Options, im image) tekton.TaskSpec {
	rebase := slices.Concat(words("-previous-image", im.previous, "-report", layersDir+"/report.toml"), given("-run-image", in.Run),
		o.insecureFlags(), words(im.output))
	return task(o,
		step(o, "source", o.StepImage, []string{program},
			words("prepare", "-program", programCopy, "-secrets", secretsDir, "-registry", registryDir),
			o.preparing()...),
		o.phase("rebase", in.Builder, "rebaser", registries, words("-report", layersDir+"/report.toml"), rebase),
	)
}

func task(o Options, steps ...tekton.Step) tekton.TaskSpec {
	yes, no := true, false
	t := tekton.TaskSpec{
		Results: []tekton.TaskResult{{Name: ResultDigest}, {Name: ResultLog}},
		Steps:   steps,
		StepTemplate: &tekton.StepTemplate{SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}},
	}
	for _, name := range []string{"app", "layers", "platform", "step"} {
		empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		t.Volumes = append(t.Volumes, corev1.Volume{Name: name, VolumeSource: empty})
	}
	t.Volumes = append(t.Volumes, corev1.Volume{Name: "registry", VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}}) // no credentials on a node's disk
	for i, secret := range o.PullSecrets {
		t.Volumes = append(t.Volumes, corev1.Volume{Name: secretVolume(i), VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: secret, Optional: &yes}}}) // a Pod goes on without one, too
	}
	return t
}

func secretVolume(i int) string { return "credentials-" + strconv.Itoa(i) }

func mount(name, at string, readOnly bool) corev1.VolumeMount {
	return corev1.VolumeMount{Name: name, MountPath: at, ReadOnly: readOnly}
}

var (
	// registries are the mounts of a step that speaks to registries.
	registries = []corev1.VolumeMount{mount("registry", registryDir, true)}
	// sources are those of a step that reads the source, or runs what it brings.
	sources = []corev1.VolumeMount{mount("app", appDir, false), mount("platform", platformDir, true)}
)

// preparing are the mounts of the first step, which fills what the others read.
func (o Options) preparing() []corev1.VolumeMount {
	mounts := []corev1.VolumeMount{mount("step", stepDir, false), mount("registry", registryDir, false)}
	for i := range o.PullSecrets {
		mounts = append(mounts, mount(secretVolume(i), secretsDir+"/"+strconv.Itoa(i), true))
	}
	return mounts
}

// sourceStep fetches the source. The environment of the build goes to buildpacks as files; as JSON it is told to no shell.
func sourceStep(in Inputs, o Options) tekton.Step {
	args := words("source", "-image", in.Source, "-into", appDir, "-platform", platformDir,
		"-program", programCopy, "-secrets", secretsDir, "-registry", registryDir, "-log", result(ResultLog))
	args = slices.Concat(args, o.insecureFlags())
	s := step(o, "source", o.StepImage, []string{program}, args,
		append(o.preparing(), mount("app", appDir, false), mount("platform", platformDir, false))...)
	s.Env = []corev1.EnvVar{{Name: envOfBuild, Value: escaped(in.Env)}}
	return s
}

// phase is a step of the lifecycle's, run by the step program, which tells how it failed.
func (o Options) phase(name, builder, command string, mounts []corev1.VolumeMount, own, args []string) tekton.Step {
	all := slices.Concat(words("run", "-phase", name, "-log", result(ResultLog), "-digest", result(ResultDigest)), own,
		words("--", lifecycle+command), args)
	mounts = append([]corev1.VolumeMount{mount("step", stepDir, true), mount("layers", layersDir, false)}, mounts...)
	s := step(o, name, builder, []string{programCopy}, all, mounts...)
	s.Env = []corev1.EnvVar{
		{Name: "CNB_PLATFORM_API", Value: platformAPI},
		{Name: "CNB_USER_ID", Value: strconv.FormatInt(o.UserID, 10)}, {Name: "CNB_GROUP_ID", Value: strconv.FormatInt(o.GroupID, 10)},
	}
	for _, m := range mounts {
		if m.Name == "registry" {
			s.Env = append(s.Env, corev1.EnvVar{Name: "DOCKER_CONFIG", Value: registryDir})
		}
	}
	return s
}

func step(o Options, name, image string, command, args []string, mounts ...corev1.VolumeMount) tekton.Step {
	return tekton.Step{Name: name, Image: image, Command: command, Args: args, VolumeMounts: mounts,
		ComputeResources: corev1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceMemory: o.Memory},
			// The requests of all steps add up, and one runs at a time: it is the one that builds that asks for what a build needs.
			Requests: corev1.ResourceList{corev1.ResourceMemory: least(o.Memory, "32Mi"), corev1.ResourceCPU: least(o.CPU, "10m")},
		}}
}

// working asks for what a build needs. The limit of disk is said here only: the kubelet holds the Pod, its volumes included, to the sum of
// the limits of its containers (pkg/kubelet/eviction, podEphemeralStorageLimitEviction). Less is requested, or few nodes would have it.
func (o Options) working(s tekton.Step) tekton.Step {
	s.ComputeResources.Limits[corev1.ResourceEphemeralStorage] = o.Disk
	s.ComputeResources.Requests = corev1.ResourceList{corev1.ResourceMemory: o.Memory, corev1.ResourceCPU: o.CPU,
		corev1.ResourceEphemeralStorage: least(o.Disk, "1Gi")}
	return s
}

func least(a resource.Quantity, b string) resource.Quantity {
	if q := resource.MustParse(b); a.Cmp(q) > 0 {
		return q
	}
	return a
}

// result is where a result is written, in Tekton's own syntax.
func result(name string) string { return fmt.Sprintf("$(results.%s.path)", name) }

func (s Settings) insecureFlags() (flags []string) {
	for _, host := range s.InsecureRegistries {
		flags = append(flags, "-insecure-registry", host)
	}
	return flags
}

func words(w ...string) []string { return w }

func given(name, value string) []string {
	if value == "" {
		return nil
	}
	return []string{name, value}
}
