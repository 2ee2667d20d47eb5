package main

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// spaceRow is what the list of Spaces shows of one. Apps is how many it has, -1 if that is not known.
type spaceRow struct {
	Name string
	Apps int
}

type spacesData struct {
	Spaces []spaceRow
	// Partly says that there may be more than the user may list.
	Partly bool
}

// spaces lists the namespaces that have Apps which the user may see.
func (v *visit) spaces() error {
	if name := strings.TrimSpace(v.r.URL.Query().Get("space")); client.ValidNamespace(name) {
		http.Redirect(v.w, v.r, "/spaces/"+name, http.StatusSeeOther)
		return nil
	}
	data, err := v.findSpaces()
	if err != nil {
		return err
	}
	slices.SortFunc(data.Spaces, func(a, b spaceRow) int { return cmp.Compare(a.Name, b.Name) })
	v.render(http.StatusOK, view{Name: "spaces", Title: "Spaces", Data: data})
	return nil
}

// findSpaces looks where the user may: at all Apps; else at namespaces, each of which it asks about; else at the user's own.
func (v *visit) findSpaces() (spacesData, error) {
	m, err := metadata.NewForConfig(v.cfg)
	if err != nil {
		return spacesData{}, err
	}
	counts := map[string]int{}
	apps := m.Resource(v1alpha1.GroupVersion.WithResource("apps"))
	for app, err := range client.All[*metav1.PartialObjectMetadata](v.ctx, apps, metav1.ListOptions{}) {
		if apierrors.IsForbidden(err) {
			return v.findVisibleSpaces()
		}
		if err != nil {
			return spacesData{}, err
		}
		counts[app.Namespace]++
	}
	data := spacesData{}
	for name, n := range counts {
		data.Spaces = append(data.Spaces, spaceRow{name, n})
	}
	return data, nil
}

// mostAsked is about how many namespaces is asked, a review each.
const mostAsked = 200

func (v *visit) findVisibleSpaces() (spacesData, error) {
	core, err := corev1client.NewForConfig(v.cfg)
	if err != nil {
		return spacesData{}, err
	}
	reviews, err := authorizationv1.NewForConfig(v.cfg)
	if err != nil {
		return spacesData{}, err
	}
	names := []string{}
	list, err := core.Namespaces().List(v.ctx, metav1.ListOptions{Limit: mostAsked})
	switch {
	case err == nil:
		for _, ns := range list.Items {
			names = append(names, ns.Name)
		}
	case !apierrors.IsForbidden(err):
		return spacesData{}, err
	}
	// system:serviceaccount:NAMESPACE:NAME
	if parts := strings.Split(v.session.User, ":"); len(parts) == 4 && parts[1] == "serviceaccount" && !slices.Contains(names, parts[2]) {
		names = append(names, parts[2])
	}
	seen := make([]bool, len(names))
	var group errgroup.Group
	group.SetLimit(16)
	for i, name := range names {
		group.Go(func() error { seen[i] = v.maySee(reviews, name); return nil })
	}
	_ = group.Wait()
	data := spacesData{Partly: true}
	for i, name := range names {
		if seen[i] {
			data.Spaces = append(data.Spaces, spaceRow{name, -1})
		}
	}
	return data, nil
}
