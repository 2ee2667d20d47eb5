package main

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
)

// Action is what is to be done about the build of an App from source.
type Action string

// Actions.
const (
	// Nothing: what it asks for was built, or could not be.
	Nothing Action = "nothing"
	// Build what it asks for: create the run of the name.
	Build Action = "build"
	// Rebase its image: create the run of the name.
	Rebase Action = "rebase"
	// Watch the run of the name, which is under way.
	Watch Action = "watch"
	// Drop: it is not built from source any more, so what is under way is in vain.
	Drop Action = "drop"
)

// Step is the Action, and the name of the run that it is about.
type Step struct {
	Action Action
	Run    string
}

// ofBuilds are the reasons of BuildReady that builds give; all others are of an image that the App names.
var ofBuilds = []string{
	v1alpha1.ReasonBuildNotStarted, v1alpha1.ReasonInvalidBuild, v1alpha1.ReasonBuilding, v1alpha1.ReasonBuilt, v1alpha1.ReasonBuildFailed,
	v1alpha1.ReasonRebasing, v1alpha1.ReasonRebased, v1alpha1.ReasonRebaseFailed,
}

// Next says what is to be done about an App's build, from the App alone.
func Next(app *v1alpha1.App) Step {
	s := app.Status
	if !app.FromSource() {
		said := v1alpha1.Reason(s.Conditions, v1alpha1.ConditionBuildReady)
		if s.BuildName != "" || s.RebaseName != "" || slices.Contains(ofBuilds, said) {
			return Step{Action: Drop}
		}
		return Step{Action: Nothing}
	}
	if wanted := build.Name(app); s.BuildName != wanted {
		return Step{Build, wanted}
	}
	ready := v1alpha1.Reason(s.Conditions, v1alpha1.ConditionBuildReady)
	switch rebase := build.RebaseName(app); {
	case ready == v1alpha1.ReasonBuilding:
		return Step{Watch, s.BuildName}
	case ready == v1alpha1.ReasonRebasing:
		return Step{Watch, s.RebaseName}
	case rebase != "" && rebase != s.RebaseName && s.Image != "":
		return Step{Rebase, rebase}
	}
	return Step{Action: Nothing}
}

// News is what has become of an App's build. The zero News is none.
type News struct {
	Status  metav1.ConditionStatus
	Reason  string
	Message string
	Image   string // that was made, "" if none was
	Began   Action // Build or Rebase: the run of the Step is the App's own from now on
	Drop    bool
}

// Note writes the news of a Step into an App's status, unless another Step is due by now: then an event of that comes.
func (n News) Note(app *v1alpha1.App, of Step, noted func(metav1.Condition)) {
	s := &app.Status
	switch {
	case n == News{} || Next(app) != of:
		return
	case n.Drop:
		s.BuildName, s.RebaseName = "", ""
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionBuildReady)
		return
	case n.Began == Build:
		s.BuildName = of.Run
	case n.Began == Rebase:
		s.RebaseName = of.Run
	}
	if n.Image != "" {
		s.Image = n.Image
	}
	noted(metav1.Condition{Type: v1alpha1.ConditionBuildReady, Status: n.Status, Reason: n.Reason, Message: n.Message})
}

// Began is the news of a run that was made.
func Began(a Action, run string) News {
	n := News{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonBuilding, Message: "PipelineRun " + run + " builds it", Began: a}
	if a == Rebase {
		n.Reason, n.Message = v1alpha1.ReasonRebasing, "PipelineRun "+run+" rebases it"
	}
	return n
}

// Invalid is the news of a build that can't be as its App stands.
func Invalid(a Action, why string) News {
	return News{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalidBuild, Message: why, Began: a}
}

// Waiting is the news of a run that can't be made yet; the resync comes back to it.
func Waiting(why string) News {
	return News{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonBuildNotStarted, Message: why + "; it starts when that has changed"}
}

// Ended is the news of a run that has ended, or has gone.
func Ended(app *v1alpha1.App, of Step, o build.Outcome) News {
	rebase := of.Run == app.Status.RebaseName
	n := News{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonBuilt, Image: o.Image}
	if rebase {
		n.Reason = v1alpha1.ReasonRebased
	}
	if o.Image != "" {
		return n
	}
	n.Status, n.Reason, n.Message = metav1.ConditionFalse, v1alpha1.ReasonBuildFailed, o.Failure
	if rebase {
		n.Reason = v1alpha1.ReasonRebaseFailed
	}
	return n
}

// notBuilt is the condition Ready of an App that has no image yet.
func notBuilt(conditions []metav1.Condition) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonBuildNotStarted}
	if b := meta.FindStatusCondition(conditions, v1alpha1.ConditionBuildReady); b != nil {
		c.Status, c.Reason, c.Message = b.Status, b.Reason, b.Message
	}
	return c
}
