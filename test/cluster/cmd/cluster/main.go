// cluster brings up a real cluster (Kubernetes, Tekton, Knative) on a bare Linux machine, from Go modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/build"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/host"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/node"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/status"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/up"
)

var (
	dir    string
	source string
	began  = time.Now()
)

func say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}

func main() {
	root := &cobra.Command{
		Use:   "cluster",
		Short: "A real Kubernetes cluster with Tekton and Knative on a bare Linux machine",
		Long: `cluster brings up Kubernetes, Tekton Pipelines and Knative on this machine, from Go modules and Debian's packages,
without Docker or an image registry elsewhere. It needs root and Linux.

Everything it writes lies in one folder (.cluster, or CLUSTER_DIR) and, for what it builds, in the user's cache. It
runs in namespaces of its own: when it ends, nothing of it is left.

With CLUSTER=existing and KUBECONFIG set, nothing is started: the cluster that KUBECONFIG names is checked and used.`,
		SilenceUsage: true,
	}
	defaultDir := os.Getenv("CLUSTER_DIR")
	if defaultDir == "" {
		defaultDir = ".cluster"
	}
	root.PersistentFlags().StringVar(&dir, "dir", defaultDir, "the cluster's folder (CLUSTER_DIR)")
	root.PersistentFlags().StringVar(&source, "source", "test/cluster", "this program's module, to build from")
	root.AddCommand(upCommand(), downCommand(), statusCommand(), buildCommand(), prepareCommand(), checkCommand(), nodeCommand(),
		partCommand("stop", "End parts until they are started again", (*node.Client).Stop),
		partCommand("start", "Start parts that were stopped", (*node.Client).StartAgain),
		partCommand("kill", "Kill parts; they are started again at once", (*node.Client).Kill))
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := root.ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

func existing() bool { return os.Getenv("CLUSTER") == "existing" }

func load() (plan.Plan, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return plan.Plan{}, err
	}
	p, err := plan.Load(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	return p, err
}

func open() (*up.Cluster, error) {
	p, err := load()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	module, err := filepath.Abs(source)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(module, "go.mod")); err != nil {
		return nil, fmt.Errorf("this program's source is not at %s: run it from the repository's root, or say --source", module)
	}
	cache, err := build.Open(module, say)
	if err != nil {
		return nil, err
	}
	return &up.Cluster{Plan: p, Cache: cache, CRDs: filepath.Join(module, "..", "..", "config", "crd"), Say: say}, nil
}

func upCommand() *cobra.Command {
	var stage, meanwhile, oidc, broker string
	var fsync bool
	c := &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster up, or repair it",
		Long: `up brings the cluster to a stage. It can be run again: what is there is left alone, what is missing is mended.

Stages, each with those before it:
  control-plane  etcd, API server, controller manager, CRDs, Tekton's admission; no node
  tekton         a node, DNS, an image registry, Tekton Pipelines
  eventing       Knative Eventing
  full           Knative Serving with an ingress`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if existing() {
				return status.Check(cmd.Context(), os.Stdout)
			}
			s, ok := up.Stages[stage]
			if !ok {
				return fmt.Errorf("no stage %q: control-plane, tekton, eventing or full", stage)
			}
			if oidc != "on" && oidc != "off" {
				return fmt.Errorf("--oidc %s: on or off", oidc)
			}
			c, err := open()
			if err != nil {
				return err
			}
			if err := chooseBroker(c, broker, s, oidc); err != nil {
				return err
			}
			unlock, err := host.Lock(c.Plan.Dir, say)
			if err != nil {
				return err
			}
			defer unlock()
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			c.Meanwhile, c.OIDC, c.FSync = meanwhile, oidc == "on", fsync
			if err := c.Up(cmd.Context(), s, exe); err != nil {
				return err
			}
			say("stage %s is up; use it with: . %s", stage, c.Plan.Path("env"))
			return nil
		},
	}
	c.Flags().StringVar(&stage, "stage", "full", "control-plane, tekton, eventing or full")
	c.Flags().StringVar(&oidc, "oidc", "on", "on or off: whether Knative Eventing asks senders for tokens, and who may post what; its own default is off")
	c.Flags().StringVar(&broker, "broker", "in-memory", "in-memory, or jetstream: Knative's channel on three servers of NATS; needs --oidc off")
	c.Flags().BoolVar(&fsync, "fsync", false, "have etcd wait for the disk with each write, from its next start on")
	c.Flags().StringVar(&meanwhile, "meanwhile", "", "a program to run while the Pods start, once all is built; its end is waited for")
	return c
}

// chooseBroker opens the module that a durable Broker is built from, if one is asked for.
func chooseBroker(c *up.Cluster, broker string, s up.Stage, oidc string) error {
	switch {
	case broker == "in-memory":
		return nil
	case broker != "jetstream":
		return fmt.Errorf("--broker %s: in-memory or jetstream", broker)
	case s < up.Eventing:
		return errors.New("--broker jetstream needs --stage eventing or full")
	case oidc == "on": // eventing-natss v0.48.1, push_consumer.go: no service account is handed to what sends
		return errors.New("--broker jetstream needs --oidc off: its channel sends no tokens, and Eventing would refuse what it delivers")
	}
	var err error
	c.JetStream, err = build.Open(filepath.Join(c.Cache.Module, "jetstream"), say)
	return err
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the cluster and remove all that it wrote but its logs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if existing() {
				say("CLUSTER=existing: nothing of ours to end")
				return nil
			}
			p, err := load()
			if err != nil {
				return err
			}
			if _, err := os.Stat(p.Dir); errors.Is(err, fs.ErrNotExist) {
				say("there is no cluster in %s", p.Dir)
				return nil
			}
			unlock, err := host.Lock(p.Dir, say)
			if err != nil {
				return err
			}
			defer unlock()
			c := &up.Cluster{Plan: p, Say: say}
			if err := c.Down(); err != nil {
				return err
			}
			say("ended; logs are in %s", p.Path("logs"))
			return nil
		},
	}
}

func buildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Only build what the cluster runs, into the user's cache",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			all := up.Programs(up.Full)
			return c.Cache.Start(cmd.Context(), all...).Wait(cmd.Context(), all...)
		},
	}
}

func prepareCommand() *cobra.Command {
	browser := false
	c := &cobra.Command{
		Use:   "prepare",
		Short: "Install the packages of Debian's that the tests need and that are missing; up does so for what it needs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			needs := slices.Concat(host.ForTests, host.ForImages, host.ForControlPlane)
			if browser {
				needs = append(needs, host.ForBrowser...)
			}
			return host.Prepare(say, needs)
		},
	}
	c.Flags().BoolVar(&browser, "browser", false, "also what looks at the pages: a browser")
	return c
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show each part, its version, whether it is ready and why not",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if existing() {
				return status.Check(cmd.Context(), os.Stdout)
			}
			p, err := load()
			if err != nil {
				return err
			}
			return status.Show(cmd.Context(), p, os.Stdout)
		},
	}
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say what the cluster of KUBECONFIG has and lacks of what this project needs",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return status.Check(cmd.Context(), os.Stdout) },
	}
}

func partCommand(name, short string, do func(*node.Client, string) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " PART...", Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := load()
			if err != nil {
				return err
			}
			if node.PID(p) == 0 {
				return fmt.Errorf("no cluster runs in %s", p.Dir)
			}
			for _, part := range args { // at once, as far as that goes: what is killed starts again after a second
				if err := do(node.NewClient(p), part); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// nodeCommand is pid 1 of the cluster's namespaces; `up` starts it.
func nodeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "node", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := load()
			if err != nil {
				return err
			}
			f := os.NewFile(3, "ingress") // the listener that node.Start passed on
			l, err := net.FileListener(f)
			if err != nil {
				return fmt.Errorf("this command is started by `cluster up`: %w", err)
			}
			f.Close()
			return node.Main(p, l)
		},
	}
}
