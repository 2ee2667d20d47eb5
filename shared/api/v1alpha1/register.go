package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every type in this package.
var GroupVersion = schema.GroupVersion{Group: "kf.dev", Version: "v1alpha1"}

// AddToScheme registers the types of this package.
var AddToScheme = (&runtime.SchemeBuilder{addKnownTypes}).AddToScheme

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &App{}, &AppList{}, &Task{}, &TaskList{}, &TaskSchedule{}, &TaskScheduleList{},
		&Webhook{}, &WebhookList{}, &Space{}, &SpaceList{}, &ServiceInstance{}, &ServiceInstanceList{},
		&ServiceInstanceBinding{}, &ServiceInstanceBindingList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
