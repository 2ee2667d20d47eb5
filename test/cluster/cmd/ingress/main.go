// ingress serves Knative Serving's Ingress objects on port 8080; 8081 says when it has read them all.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"
	"knative.dev/networking/pkg/client/informers/externalversions"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/ingress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cfg, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	cfg.QPS = -1
	client, err := versioned.NewForConfig(cfg)
	if err != nil {
		log.Fatal(err)
	}
	table := ingress.NewTable()
	balancer := []v1alpha1.LoadBalancerIngressStatus{{DomainInternal: os.Getenv("INTERNAL_DOMAIN")}}

	informers := externalversions.NewSharedInformerFactory(client, 0)
	informer := informers.Networking().V1alpha1().Ingresses().Informer()
	set := func(o any) {
		ing := o.(*v1alpha1.Ingress)
		if ing.Annotations[networking.IngressClassAnnotationKey] != ingress.Class {
			table.Delete(ing.Namespace, ing.Name)
			return
		}
		table.Set(ing) // first served, then said to be
		ready := ing.DeepCopy()
		ready.Status.InitializeConditions()
		ready.Status.MarkNetworkConfigured()
		ready.Status.MarkLoadBalancerReady(balancer, balancer)
		ready.Status.ObservedGeneration = ready.Generation
		if equality.Semantic.DeepEqual(ready.Status, ing.Status) {
			return
		}
		// A conflict brings an update event, and with it another try.
		if _, err := client.NetworkingV1alpha1().Ingresses(ing.Namespace).UpdateStatus(ctx, ready, metav1.UpdateOptions{}); err != nil {
			log.Printf("status of Ingress %s/%s: %v", ing.Namespace, ing.Name, err)
		}
	}
	handle, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: set, UpdateFunc: func(_, o any) { set(o) },
		DeleteFunc: func(o any) {
			if namespace, name, err := cache.SplitMetaNamespaceKey(key(o)); err == nil {
				table.Delete(namespace, name)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	informers.Start(ctx.Done())
	go http.ListenAndServe(":8081", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !handle.HasSynced() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	server := &http.Server{Addr: ":8080", Handler: ingress.Proxy(table)}
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // gRPC callers come without TLS inside a cluster
	go func() { <-ctx.Done(); server.Close() }()
	if err := server.ListenAndServe(); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

// key is the object's, also of one whose deletion was seen late.
func key(o any) string {
	k, _ := cache.DeletionHandlingMetaNamespaceKeyFunc(o)
	return k
}
