package v1alpha1

import corev1 "k8s.io/api/core/v1"

// BuildSpec says how an App's image is built from source, in Kf's fields, so that its own CLI may write it.
type BuildSpec struct {
	// SourcePackage names the upload of the source, in Kf; here source comes as the parameter SOURCE_IMAGE.
	// +optional
	SourcePackage corev1.LocalObjectReference `json:"sourcePackage,omitempty"`

	// BuildTaskRef is what builds.
	BuildTaskRef `json:",inline"`

	// Params are what it is told: SOURCE_IMAGE, BUILDPACK, BUILDER_IMAGE, RUN_IMAGE.
	// +optional
	// +listType=map
	// +listMapKey=name
	Params []BuildParam `json:"params,omitempty"`

	// Env is the environment of the build. The App's own is for its Tasks.
	// +optional
	// +listType=map
	// +listMapKey=name
	Env []corev1.EnvVar `json:"env,omitempty"`

	// NodeSelector selects the nodes that it may run on, such as {"disk": "ssd"}; any node when left out.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
}

// BuildTaskRef names what builds: a way that is built in (BuiltinTaskKind), or a Tekton Task of the operator's.
type BuildTaskRef struct {
	// Name is that of the way to build, or of the Tekton Task, such as buildpackv3. A build fails if it is left out.
	// +optional
	Name string `json:"name,omitempty"`
	// Kind says where that is, such as KfBuiltinTask for a way that is built in, Task for one of Tekton's in the Space, ClusterTask for one
	// of the cluster's. A build fails if it is left out.
	// +optional
	Kind string `json:"kind,omitempty"`
	// APIVersion is what Kf's CLI writes here, such as builtin.kf.dev/v1alpha1. It decides nothing, and may be left out.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`
}

// BuildParam is one parameter of a build.
type BuildParam struct {
	// Name is the parameter's, such as SOURCE_IMAGE.
	Name string `json:"name"`
	// Value is the parameter's, such as registry.example/src-shop@sha256:....
	Value string `json:"value"`
}

// What Kf's CLI writes into a BuildSpec (its pkg/apis/kf/v1alpha1/build_types.go).
const (
	BuiltinTaskKind       = "KfBuiltinTask"
	BuiltinTaskAPIVersion = "builtin.kf.dev/v1alpha1"
	BuildpackV3Task       = "buildpackv3"

	ParamSourceImage  = "SOURCE_IMAGE"
	ParamBuildpack    = "BUILDPACK" // a list with commas
	ParamRunImage     = "RUN_IMAGE"
	ParamBuilderImage = "BUILDER_IMAGE"
	// ParamDestinationImage is told to a Task of the operator's own: the name that its image is to be pushed under.
	ParamDestinationImage = "DESTINATION_IMAGE"
)

// PlaceholderImage is what Kf's CLI names in a new App until it has written the rest of it (its pkg/kf/apps/push.go). It does nothing.
const PlaceholderImage = "gcr.io/kf-releases/nop:nop"

// FromSource says whether the App's image is built from source: one of image and spec counts, image before spec.
func (a *App) FromSource() bool {
	image := a.Spec.Build.Image
	return a.Spec.Build.Spec != nil && (image == nil || *image == "")
}

// Param is a parameter's value, "" if the build has none of the name.
func (s *BuildSpec) Param(name string) string {
	for _, p := range s.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
