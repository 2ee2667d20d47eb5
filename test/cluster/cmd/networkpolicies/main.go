// networkpolicies enforces NetworkPolicies on the node: the controller of sigs.k8s.io/kube-network-policies judges each
// new connection from or to a Pod, which the kernel hands to it through a queue (NFQUEUE).
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

const queue = 100

func main() {
	kubeconfig := flag.String("kubeconfig", "", "whose rights to use")
	node := flag.String("node", "", "the node's name")
	bridge := flag.String("bridge", "", "the bridge that Pods are on")
	rules := flag.Bool("rules", false, "only write the rules that fill the queue, or say what the kernel lacks for them")
	log.SetFlags(0)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var err error
	if *rules {
		err = fill(*bridge)
	} else {
		err = judge(ctx, *kubeconfig, *node)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func judge(ctx context.Context, kubeconfig, node string) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client, shared.Networking().V1().NetworkPolicies(), shared.Core().V1().Namespaces(),
		shared.Core().V1().Pods(), nil, nil, nil, nil, networkpolicy.Config{NodeName: node, QueueID: queue})
	if err != nil {
		return err
	}
	shared.Start(ctx.Done())
	return controller.Run(ctx)
}

// fill makes the kernel queue the first packet of each connection. The controller writes rules of its own too, but by
// nftables' own queue statement, which kernels may lack that have xtables' (then its log says "no such file or directory");
// and it leaves out what Pods send to their node, where this cluster has its API server and its registry.
func fill(bridge string) error {
	const bridged = "/proc/sys/net/bridge/bridge-nf-call-iptables"
	if _, err := os.Stat(bridged); err != nil {
		_ = exec.Command("modprobe", "br_netfilter").Run() // what it can't do is said next
	}
	if err := os.WriteFile(bridged, []byte("1"), 0o644); err != nil {
		return fmt.Errorf("CONFIG_BRIDGE_NETFILTER (br_netfilter): packets between two Pods of the node pass no rules: %w", err)
	}
	// Probes, and all else that the node itself sends to a Pod: NetworkPolicies don't hold for it.
	if err := add("POSTROUTING -m owner --uid-owner 0 -j RETURN"); err != nil {
		return fmt.Errorf("CONFIG_NETFILTER_XT_MATCH_OWNER: %w", err)
	}
	for _, protocol := range []string{"tcp", "udp"} {
		for _, where := range []string{"POSTROUTING ! -o lo", "INPUT -i " + bridge} {
			if err := add(where + " -p " + protocol + " -m conntrack --ctstate NEW -j NFQUEUE --queue-num " + strconv.Itoa(queue)); err != nil {
				return fmt.Errorf("CONFIG_NETFILTER_XT_TARGET_NFQUEUE and what iptables needs for it: %w", err)
			}
		}
	}
	return nil
}

// add writes a rule, unless it is there.
func add(rule string) error {
	iptables := func(action string) ([]byte, error) {
		return exec.Command("iptables", append([]string{"-w", "-t", "mangle", action}, strings.Fields(rule)...)...).CombinedOutput()
	}
	if _, err := iptables("-C"); err == nil {
		return nil
	}
	if out, err := iptables("-A"); err != nil {
		return fmt.Errorf("iptables -t mangle -A %s: %w: %s", rule, err, strings.TrimSpace(string(out)))
	}
	return nil
}
