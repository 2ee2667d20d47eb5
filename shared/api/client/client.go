// Package client is the typed client of kf.dev/v1alpha1, made of client-go's generic one.
package client

import (
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Scheme knows the types of kf.dev/v1alpha1.
var Scheme = runtime.NewScheme()

func init() {
	if err := v1alpha1.AddToScheme(Scheme); err != nil {
		panic(err) // the types are compiled in: this can only be a programming error
	}
	metav1.AddToGroupVersion(Scheme, metav1.SchemeGroupVersion)
}

// The clients of the kinds. Their methods are client-go's: Get, List, Watch, Create, Update, UpdateStatus, Patch
// (with "status" as subresource), Delete, DeleteCollection.
type (
	Apps          = gentype.ClientWithList[*v1alpha1.App, *v1alpha1.AppList]
	Tasks         = gentype.ClientWithList[*v1alpha1.Task, *v1alpha1.TaskList]
	TaskSchedules = gentype.ClientWithList[*v1alpha1.TaskSchedule, *v1alpha1.TaskScheduleList]
	Webhooks      = gentype.ClientWithList[*v1alpha1.Webhook, *v1alpha1.WebhookList]
	Spaces        = gentype.ClientWithList[*v1alpha1.Space, *v1alpha1.SpaceList]
	Services      = gentype.ClientWithList[*v1alpha1.ServiceInstance, *v1alpha1.ServiceInstanceList]
	Bindings      = gentype.ClientWithList[*v1alpha1.ServiceInstanceBinding, *v1alpha1.ServiceInstanceBindingList]
)

// Client reaches kf.dev/v1alpha1.
type Client struct{ rest rest.Interface }

// New returns a Client. It does no I/O.
func New(cfg *rest.Config) (*Client, error) {
	c := rest.CopyConfig(cfg)
	c.GroupVersion = &v1alpha1.GroupVersion
	c.APIPath = "/apis"
	c.NegotiatedSerializer = serializer.NewCodecFactory(Scheme).WithoutConversion()
	c.ContentType = runtime.ContentTypeJSON // custom resources have no protobuf
	c.AcceptContentTypes = runtime.ContentTypeJSON
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return paged{next} })
	r, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", v1alpha1.GroupVersion, err)
	}
	return &Client{r}, nil
}

// Apps reaches the Apps of a namespace; "" means all namespaces, for List and Watch.
func (c *Client) Apps(namespace string) *Apps {
	return gentype.NewClientWithList("apps", c.rest, runtime.NewParameterCodec(Scheme), namespace,
		func() *v1alpha1.App { return &v1alpha1.App{} }, func() *v1alpha1.AppList { return &v1alpha1.AppList{} })
}

// Tasks reaches the Tasks of a namespace.
func (c *Client) Tasks(namespace string) *Tasks {
	return gentype.NewClientWithList("tasks", c.rest, runtime.NewParameterCodec(Scheme), namespace,
		func() *v1alpha1.Task { return &v1alpha1.Task{} }, func() *v1alpha1.TaskList { return &v1alpha1.TaskList{} })
}

// TaskSchedules reaches the Jobs of a namespace.
func (c *Client) TaskSchedules(namespace string) *TaskSchedules {
	return gentype.NewClientWithList("taskschedules", c.rest, runtime.NewParameterCodec(Scheme), namespace,
		func() *v1alpha1.TaskSchedule { return &v1alpha1.TaskSchedule{} },
		func() *v1alpha1.TaskScheduleList { return &v1alpha1.TaskScheduleList{} })
}

// Webhooks reaches the Webhooks of a namespace.
func (c *Client) Webhooks(namespace string) *Webhooks {
	return gentype.NewClientWithList("webhooks", c.rest, runtime.NewParameterCodec(Scheme), namespace,
		func() *v1alpha1.Webhook { return &v1alpha1.Webhook{} }, func() *v1alpha1.WebhookList { return &v1alpha1.WebhookList{} })
}

// Spaces reaches the Spaces, which are in no namespace.
func (c *Client) Spaces() *Spaces {
	return gentype.NewClientWithList("spaces", c.rest, runtime.NewParameterCodec(Scheme), "",
		func() *v1alpha1.Space { return &v1alpha1.Space{} }, func() *v1alpha1.SpaceList { return &v1alpha1.SpaceList{} })
}

// Services reaches the ServiceInstances of a namespace.
func (c *Client) Services(namespace string) *Services {
	return gentype.NewClientWithList("serviceinstances", c.rest, runtime.NewParameterCodec(Scheme), namespace,
		func() *v1alpha1.ServiceInstance { return &v1alpha1.ServiceInstance{} },
		func() *v1alpha1.ServiceInstanceList { return &v1alpha1.ServiceInstanceList{} })
}

// Bindings reaches the ServiceInstanceBindings of a namespace.
func (c *Client) Bindings(namespace string) *Bindings {
	return gentype.NewClientWithList("serviceinstancebindings", c.rest, runtime.NewParameterCodec(Scheme), namespace,
		func() *v1alpha1.ServiceInstanceBinding { return &v1alpha1.ServiceInstanceBinding{} },
		func() *v1alpha1.ServiceInstanceBindingList { return &v1alpha1.ServiceInstanceBindingList{} })
}
