package main

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// webhooks lists the Webhooks of a Space, each with the latest that came to it.
func (v *visit) webhooks() error {
	found, err := client.Collect(client.All[*v1alpha1.Webhook](v.ctx, v.kf.Webhooks(v.space), metav1.ListOptions{}))
	if err != nil {
		return err
	}
	v.render(http.StatusOK, view{
		Name: "webhooks", Title: "Webhooks of " + v.space, Trail: []link{{v.space, "/spaces/" + v.space}}, Live: true, Data: found,
	})
	return nil
}

// webhook shows what came to a Webhook, and what became of it.
func (v *visit) webhook() error {
	hook, err := client.Find(v.ctx, v.kf.Webhooks(v.space), v.space, v.name)
	if err != nil {
		return err
	}
	if hook == nil {
		return notFound("There is no Webhook %s in Space %s. `kf webhooks --space %[2]s` lists those that there are.", v.name, v.space)
	}
	v.render(http.StatusOK, view{
		Name: "webhook", Title: "Webhook " + v.name, Live: true, Data: hook,
		Trail: []link{{v.space, "/spaces/" + v.space}, {"Webhooks", "/spaces/" + v.space + "/webhooks"}},
	})
	return nil
}
