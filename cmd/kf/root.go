package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// target is the cluster and Space that a command works on.
type target struct {
	kubeconfig, context, space string
}

func newRoot() *cobra.Command {
	t := &target{}
	root := &cobra.Command{
		Use:   "kf",
		Short: "Run one-off and scheduled work of Apps on Kubernetes",
		Long: `kf runs Tasks: one run of an App's image to completion, with the App's environment, bound services and resources;
and Jobs: a Task that is run on a schedule.

It uses the cluster of your kubeconfig. A Space is a namespace; --space names it.`,
		Example: `  # run a command on the App "shop", and wait for its exit code
  kf run-task shop --command "bin/migrate --all" --wait

  # what became of the App's Tasks
  kf tasks shop

  # run it each night
  kf create-job shop nightly "bin/report" --schedule "30 2 * * *" --time-zone Europe/Berlin`,
		SilenceUsage: true, SilenceErrors: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&t.space, "space", "", "Space (namespace) to work in; the kubeconfig's current one when left out")
	f.StringVar(&t.kubeconfig, "kubeconfig", "", "path of the kubeconfig; KUBECONFIG or ~/.kube/config when left out")
	f.StringVar(&t.context, "context", "", "context of the kubeconfig; the current one when left out")
	root.AddCommand(newPush(t), newApps(t), newRunTask(t), newTasks(t), newTerminateTask(t), newLogs(t),
		newCreateJob(t), newScheduleJob(t), newRunJob(t), newJobs(t), newJobSchedules(t), newJobHistory(t),
		newDeleteJobSchedule(t), newDeleteJob(t), newPrune(t))
	return root
}

// connect finds the cluster and the Space.
func (t *target) connect() (*rest.Config, *client.Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = t.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: t.context})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("no cluster: set KUBECONFIG to your kubeconfig, or say --kubeconfig (%w)", err)
	}
	if t.space == "" {
		if t.space, _, err = loader.Namespace(); err != nil {
			return nil, nil, err
		}
	}
	cfg.QPS = -1
	cfg.UserAgent = "kf" // the API server keeps it as who set a field: who terminated a Task, for example
	kf, err := client.New(cfg)
	return cfg, kf, err
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
