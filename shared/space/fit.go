package space

import (
	"slices"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// What a container gets of a resource that a quota asks it to name and that nobody has named: as much as Kf and Cloud Foundry
// give an App by default, or all of the quota where that is less.
var (
	defaultLimits   = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("1")}
	defaultRequests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("100m")}
)

// Fit makes the Pods of a run keep to the rules, as far as what it says leaves that open.
func (r Rules) Fit(run *tekton.PipelineRunSpec) {
	var pod *corev1.PodSecurityContext
	class := ""
	if t := run.TaskRunTemplate.PodTemplate; t != nil {
		pod = t.SecurityContext
		if t.PriorityClassName != nil {
			class = *t.PriorityClassName
		}
	}
	r = r.ForPods(class)
	for _, task := range run.PipelineSpec.Tasks {
		steps := task.TaskSpec.Steps
		for i := range steps {
			steps[i].ComputeResources = r.Resources(steps[i].ComputeResources, len(steps))
			steps[i].SecurityContext = r.Security(steps[i].SecurityContext, pod)
		}
	}
}

// Resources are those of a container, which is one of so many of its Pod, as the rules of the Space let it run: what it says stays,
// and of what it leaves open nothing is left to a default that would have it refused.
func (r Rules) Resources(said corev1.ResourceRequirements, of int) corev1.ResourceRequirements {
	out := *said.DeepCopy()
	if out.Limits == nil {
		out.Limits = corev1.ResourceList{}
	}
	if out.Requests == nil {
		out.Requests = corev1.ResourceList{}
	}
	defaults := r.byLimitRange(out)
	r.byQuota(out, defaults, int64(of))
	if len(out.Limits) == 0 {
		out.Limits = said.Limits
	}
	if len(out.Requests) == 0 {
		out.Requests = said.Requests
	}
	return out
}

// byLimitRange fills in the limit of who names a request that the LimitRange's own default is below, or too far above; and
// the request of who names a limit, as Kubernetes does where Tekton, which takes the LimitRange's, does not. It returns the
// defaults that the LimitRanges give.
func (r Rules) byLimitRange(c corev1.ResourceRequirements) (defaults corev1.ResourceRequirements) {
	defaults = corev1.ResourceRequirements{Limits: corev1.ResourceList{}, Requests: corev1.ResourceList{}}
	for _, limits := range r.Limits {
		for _, item := range limits.Spec.Limits {
			if item.Type != corev1.LimitTypeContainer {
				continue
			}
			for name, limit := range item.Default { // the API server has made one of max, where only that is given
				defaults.Limits[name] = limit
			}
			for name, request := range item.DefaultRequest {
				defaults.Requests[name] = request
			}
		}
	}
	for name, request := range c.Requests {
		if _, named := c.Limits[name]; named {
			continue
		}
		limit, given := defaults.Limits[name]
		if given && (limit.Cmp(request) < 0 || r.ratioAbove(name, limit, request)) {
			c.Limits[name] = request
		}
	}
	r.byRatio(c, defaults)
	for name, limit := range c.Limits {
		_, given := defaults.Requests[name]
		if _, named := c.Requests[name]; given && !named {
			c.Requests[name] = limit
		}
	}
	return defaults
}

// byRatio names a limit where a LimitRange bounds how far above the request it may be, and nobody names one ("No limit is specified").
func (r Rules) byRatio(c, defaults corev1.ResourceRequirements) {
	for _, limits := range r.Limits {
		for _, item := range limits.Spec.Limits {
			for name := range item.MaxLimitRequestRatio {
				_, named := c.Limits[name]
				_, given := defaults.Limits[name]
				if named || given || item.Type != corev1.LimitTypeContainer {
					continue
				}
				amount, known := defaultLimits[name]
				for _, requests := range []corev1.ResourceList{defaults.Requests, c.Requests} {
					if q, there := requests[name]; there {
						amount, known = q, true
					}
				}
				if _, there := c.Requests[name]; known && !there {
					c.Requests[name] = amount
				}
				if known {
					c.Limits[name] = amount
				}
			}
		}
	}
}

// ratioAbove says whether a limit is further above a request than a LimitRange lets it be.
func (r Rules) ratioAbove(name corev1.ResourceName, limit, request resource.Quantity) bool {
	for _, limits := range r.Limits {
		for _, item := range limits.Spec.Limits {
			most, given := item.MaxLimitRequestRatio[name]
			if given && request.AsApproximateFloat64()*most.AsApproximateFloat64() < limit.AsApproximateFloat64() {
				return true
			}
		}
	}
	return false
}

// byQuota fills in what a quota asks each container to name ("must specify limits.memory"): Tekton ends a run for good that
// does not.
func (r Rules) byQuota(c, defaults corev1.ResourceRequirements, of int64) {
	fill := func(in, other, given, fallback corev1.ResourceList, asked corev1.ResourceList) {
		for name, hard := range asked {
			_, named := in[name]
			_, byDefault := given[name]
			if named || byDefault {
				continue
			}
			share := *resource.NewQuantity(hard.Value()/of, hard.Format)
			if name == corev1.ResourceCPU {
				share = *resource.NewMilliQuantity(hard.MilliValue()/of, hard.Format)
			}
			amount, said := other[name]
			if !said {
				amount = fallback[name]
			}
			if !said && share.Cmp(amount) < 0 {
				amount = share
			}
			in[name] = amount
		}
	}
	limits, requests := r.asked()
	fill(c.Limits, c.Requests, defaults.Limits, defaultLimits, limits)
	// After the limits, which are requests too where none are named.
	fill(c.Requests, c.Limits, defaults.Requests, defaultRequests, requests)
}

// asked is the least that the quotas have of what they ask each container to name, which is CPU and memory (validationSet in
// k8s.io/kubernetes, pkg/quota/v1/evaluator/core/pods.go).
func (r Rules) asked() (limits, requests corev1.ResourceList) {
	limits, requests = corev1.ResourceList{}, corev1.ResourceList{}
	for _, quota := range r.Quotas {
		for key, hard := range quota.Spec.Hard {
			in := requests
			name, ok := strings.CutPrefix(string(key), "limits.")
			if ok {
				in = limits
			} else {
				name = strings.TrimPrefix(name, "requests.")
			}
			resource := corev1.ResourceName(name)
			if _, known := defaultLimits[resource]; !known {
				continue
			}
			if least, there := in[resource]; !there || hard.Cmp(least) < 0 {
				in[resource] = hard
			}
		}
	}
	return limits, requests
}

// ForPods are the rules for Pods of a priority class that name resources and are to end, as those of Tasks do: Tekton gives each a
// deadline. Quotas of other Pods ask nothing of them.
func (r Rules) ForPods(priorityClass string) Rules {
	r.Quotas = slices.DeleteFunc(slices.Clone(r.Quotas), func(quota corev1.ResourceQuota) bool {
		of := make([]corev1.ScopedResourceSelectorRequirement, 0, len(quota.Spec.Scopes))
		for _, scope := range quota.Spec.Scopes {
			of = append(of, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists})
		}
		if s := quota.Spec.ScopeSelector; s != nil {
			of = append(of, s.MatchExpressions...)
		}
		return slices.ContainsFunc(of, func(scope corev1.ScopedResourceSelectorRequirement) bool { return !matches(scope, priorityClass) })
	})
	return r
}

func matches(scope corev1.ScopedResourceSelectorRequirement, priorityClass string) bool {
	switch scope.ScopeName {
	case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotTerminating:
		return false
	case corev1.ResourceQuotaScopePriorityClass:
		in := slices.Contains(scope.Values, priorityClass)
		switch scope.Operator {
		case corev1.ScopeSelectorOpIn:
			return in
		case corev1.ScopeSelectorOpNotIn:
			return !in
		case corev1.ScopeSelectorOpDoesNotExist:
			return priorityClass == ""
		case corev1.ScopeSelectorOpExists:
			return priorityClass != ""
		}
	}
	return true
}

// Security is the security context of a container as a Space that enforces `restricted` lets it run: what the App or its Pod
// says stays (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted).
func (r Rules) Security(said *corev1.SecurityContext, pod *corev1.PodSecurityContext) *corev1.SecurityContext {
	if !r.Restricted() {
		return said
	}
	out := &corev1.SecurityContext{}
	if said != nil {
		out = said.DeepCopy()
	}
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	yes, no := true, false
	if out.AllowPrivilegeEscalation == nil {
		out.AllowPrivilegeEscalation = &no
	}
	if out.Capabilities == nil {
		out.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}
	if out.RunAsNonRoot == nil && pod.RunAsNonRoot == nil {
		out.RunAsNonRoot = &yes
	}
	if out.SeccompProfile == nil && pod.SeccompProfile == nil {
		out.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	return out
}
