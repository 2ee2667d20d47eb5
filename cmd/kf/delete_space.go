package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type deleteSpace struct {
	*target
	force, async bool
}

func newDeleteSpace(t *target) *cobra.Command {
	o := &deleteSpace{target: t}
	c := &cobra.Command{
		Use:   "delete-space SPACE",
		Short: "Delete a Space, and its namespace with all that is in it if it was made for the Space",
		Long: `delete-space says what it would delete, and asks for the Space's name. A namespace that was there before the
Space stays, with all that is in it. In a script --force answers for you.`,
		Example: `  kf delete-space shop-test
  kf delete-space shop-test --force`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	c.Flags().BoolVarP(&o.force, "force", "f", false, "do not ask")
	asyncFlag(c, &o.async, "all is gone")
	return c
}

func (o *deleteSpace) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	space, err := o.spaceObject(ctx, args[0])
	if err != nil {
		return err
	}
	goes := "Its namespace was there before, and stays with all that is in it."
	if space.Status.Namespace != v1alpha1.NamespaceAdopted {
		in, err := o.contents(ctx, space.Name)
		if err != nil {
			return err
		}
		goes = "Its namespace goes with it, and all that is in it: " + in + ", and whatever else others have put there."
	}
	o.progress("Space %s will be deleted. %s", space.Name, goes)
	if err := o.confirmed(cmd.InOrStdin(), space.Name); err != nil {
		return err
	}
	err = o.kf.Spaces().Delete(ctx, space.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &space.UID}})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Space %s: %w", space.Name, err)
	}
	if o.async {
		o.printf("Space %s is being deleted.\n", space.Name)
		return nil
	}
	if err := o.gone(ctx, space); err != nil {
		return err
	}
	o.printf("Space %s is deleted.\n", space.Name)
	return nil
}

// contents are how many Apps, Tasks and Jobs there are in a namespace.
func (o *deleteSpace) contents(ctx context.Context, namespace string) (string, error) {
	c, err := metadata.NewForConfig(o.cfg)
	if err != nil {
		return "", err
	}
	var counts []any
	for _, resource := range []string{"apps", "tasks", "taskschedules"} {
		n := 0
		of := c.Resource(v1alpha1.GroupVersion.WithResource(resource)).Namespace(namespace)
		for _, err := range client.All[*metav1.PartialObjectMetadata](ctx, of, metav1.ListOptions{}) {
			if err != nil {
				return "", fmt.Errorf("what there is in the Space: %w", err)
			}
			n++
		}
		counts = append(counts, n)
	}
	return fmt.Sprintf("%d Apps, %d Tasks, %d Jobs", counts...), nil
}

// confirmed asks on a terminal for the Space's name. Where nobody can be asked, --force is to be said.
func (o *deleteSpace) confirmed(stdin io.Reader, name string) error {
	if o.force {
		return nil
	}
	if f, is := stdin.(*os.File); !is || !term.IsTerminal(int(f.Fd())) {
		return coded{exitUsage, errors.New("there is nobody to ask: nothing was deleted; --force deletes without asking")}
	}
	o.progress("Type its name to delete it:")
	answer, err := bufio.NewReader(io.LimitReader(stdin, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != name {
		return errors.New("that is not its name: nothing was deleted")
	}
	return nil
}

// gone returns when the Space is gone, which is after its namespace.
func (o *deleteSpace) gone(ctx context.Context, space *v1alpha1.Space) error {
	p := patience{
		every:   lookEvery,
		say:     func() { o.progress("waiting for the Space to go; `kf space %s` says what keeps it", space.Name) },
		stopped: fmt.Sprintf("no longer waiting; Space %s is being deleted all the same", space.Name),
	}
	return o.await(ctx, p, func(ctx context.Context) (bool, error) {
		now, err := client.Find(ctx, o.kf.Spaces(), "", space.Name)
		return err == nil && (now == nil || now.UID != space.UID), err
	})
}
