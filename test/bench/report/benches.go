package main

import (
	"cmp"
	"os"
	"path/filepath"
)

// bench is one benchmark of the report, and what it shows.
type bench struct {
	name    string // of the files of its output and its plot
	title   string
	says    string // what is compared with what
	folder  string // where it is
	run     string // which of its benchmarks, as -bench has it
	times   string // as -benchtime has it; 1x unless said
	small   []string
	large   []string
	full    bool   // it needs a full cluster on which the functions are deployed
	missing string // why there is no such benchmark yet
	plot    string // the unit that is drawn; "" for none
}

var benches = []bench{
	{name: "create", title: "A Task by each way", folder: "test/bench/create", run: "BenchmarkCreate", plot: "of-raw",
		says: "Creations a second by 8 senders, as a part of those of bare Tasks in the same rounds (of-raw)."},
	{name: "event", title: "A Task's event to its PipelineRun", folder: "test/bench/event", run: ".", plot: "ratio",
		says: "Tasks that runtask starts by their events, beside bare creates, by 1, 8 and 32 senders; and beside the runtask of the version before (before-)."},
	{name: "calls", title: "What a Task costs", folder: "test/bench/calls", run: "BenchmarkTask", plot: "cpu-s/1000-Tasks",
		says: "Requests to the API server by verb, processor seconds for 1,000 Tasks, and memory before and after, of each function that has to do with a Task's life. " +
			"Tekton is played."},
	{name: "ready", title: "From a process's start to its first answer", folder: "test/bench/calls", run: "BenchmarkReady", plot: "ready-ms",
		says: "Each function as a process, until /healthz answers."},
	{name: "cronjob", title: "A tick beside Kubernetes' CronJob controller", folder: "test/bench/tick", run: "BesideCronJob", plot: "last-s",
		small: []string{"JOBS=200"}, large: []string{"JOBS=1000"},
		says: "JOBS due in one minute: how late the last one's Task (the last one's Job) is there. The controller has its defaults and is part of the same cluster."},
	{name: "atrest", title: "Jobs at rest", folder: "test/bench/tick", run: "AtRest", plot: "cpu-s/tick",
		small: []string{"JOBS=50000"}, large: []string{"JOBS=100000"},
		says: "A tick over JOBS of which none is due, by the length of their histories. The lists come from a stand-in of the API server."},
	{name: "shards", title: "Many due in one minute", folder: "test/bench/tick", run: "Shards", plot: "ratio",
		small: []string{"JOBS=2000", "DUE=500"}, large: []string{"JOBS=100000", "DUE=10000"},
		says: "DUE of JOBS in one minute, by 1, 2 and 4 instances of tick: the time that as many bare creates take, over that until the last Task is there (ratio). " +
			"Above 1, the bare creates met more of what else the machine did."},
	{name: "growth", title: "What grows", folder: "test/bench/growth", run: "BenchmarkGrowth", plot: "tick-cpu-ms",
		small: []string{"SCALE=1"}, large: []string{"SCALE=10"},
		says: "What one round of each kind costs at three sizes of what might make it dearer: requests, bytes that the API server answered, processor time."},
	{name: "namespaces", title: "Namespaces that come and go", folder: "test/bench/growth", run: "BenchmarkNamespaces", plot: "reviews",
		says: "What Knative's controller asks the API server whenever a namespace comes or goes, because the source is of all namespaces, and how long " +
			"the API server takes to answer that, one after another; the controller's own limit on requests comes on top."},
	{name: "churn", title: "A Task beside namespaces that come and go", folder: "test/bench/cluster", run: "BenchmarkChurn", full: true,
		small: []string{"NAMESPACES=60"}, large: []string{"NAMESPACES=1000"},
		says: "NAMESPACES come, one a second, and go again ten seconds later: how long after its creation a Task of another Space has its PipelineRun, through source and Broker."},
	{name: "prune", title: "Pruning", folder: "test/bench/retention", run: "Backlog", plot: "of-loop",
		small: []string{"BACKLOG=1000"}, large: []string{"BACKLOG=10000"},
		says: "BACKLOG Tasks beyond an App's limit, beside a plain loop of 8 that deletes Tasks, in the same run."},
	{name: "slowdown", title: "Creating while pruning", folder: "test/bench/retention", run: "SlowDown",
		says: "1,000 Tasks created, and run to their end, while as many are pruned, by the time that it takes without pruning; in rounds that take turns."},
	{name: "burst", title: "A burst", folder: "test/bench/retention", run: "Burst",
		small: []string{"APPS=1", "TASKS=1000"}, large: []string{"APPS=10", "TASKS=6000"},
		says: "Tasks created as fast as the API server takes them, and played to their end: how long after the last one's end only the newest 500 of each App are left, " +
			"and how long until the garbage collector has left no PipelineRun, TaskRun or Pod without its Task."},
	{name: "identity", title: "What tokens cost", folder: "test/bench/identity", run: "TokenChecks", plot: "ratio",
		says: "The rate with tokens that are checked as a part of the rate without."},
	{name: "wait", title: "Ten thousand who wait", folder: "test/integration", run: "BenchmarkWaiters",
		says: "Ten thousand requests wait for a hundred Tasks at one process of wait: what each costs it, and when the last one has heard after the Tasks began to end."},
	{name: "page", title: "A page of 500 Tasks", folder: "test/integration", run: "PageOf500Tasks", times: "20x",
		says: "A page of web, beside the list from the API server that it is made of."},
	{name: "deliveries", title: "Deliveries to a Webhook", folder: "test/integration", run: "BenchmarkDeliveries", times: "2000x",
		says: "Of GitHub's, 7 kB each, by 64 senders; each is written into the Webhook's status and handed to a Broker that is played."},
	{name: "source", title: "A push of a folder", folder: "test/bench/source", run: ".", plot: "cpu-s",
		says: "What a push of 100 MB of source costs beside tar, gzip and curl (of-shell is of processor time), of many files, and of one large one."},
	{name: "task", title: "A Task beside a bare PipelineRun", folder: "test/bench/task", run: ".", full: true, plot: "line-p50-s",
		says: "From its creation to its PipelineRun and to its Pod's first line, on a full cluster, through sources and Broker; and how often anybody writes to the " +
			"API server for it (Events and all that Tekton, scheduler and kubelet write included)."},
	{name: "status", title: "A PipelineRun's end to its Task's", folder: "test/bench/cluster", run: "BenchmarkStatus", full: true,
		says: "Fifty Tasks run at once and then end, two a second: from when a watch sees that Tekton says so until one sees that the Task does. Through source and Broker."},
	{name: "jobsink", title: "A command event beside Knative's JobSink", folder: "test/bench/cluster", run: "BenchmarkJobSink", full: true, plot: "created/s",
		says: "Events posted by 8 senders to a Broker, to the Task and to the PipelineRun of each, beside as many posted to a JobSink, to their Jobs; by turns on one full cluster. " +
			"JobSink has its defaults."},
	{name: "zero", title: "From zero on Serving, beside a hello service", folder: "test/bench/cluster", run: "BenchmarkZero", full: true, plot: "p50-s",
		says: "The first answer of a Knative Service that has no Pod: the function logs, beside a program that does nothing on the same base image, by turns."},
	{name: "logs", title: "Logs beside kubectl logs", folder: "test/bench/cluster", run: "BenchmarkLogs", full: true, plot: "MB/s",
		says: "The same Pod's log by both, by turns: what kubectl logs asks the API server for, and the function logs, as a process and as it is deployed."},
	{name: "pruner", title: "Pruning beside Tekton's pruner", says: "The same PipelineRuns by both.",
		missing: "Tekton's pruner is a part of its operator, which the local cluster has not: Pruning, above, is beside a plain loop of 8 that deletes, and no pruner can do with less"},
}

func (b bench) settings(size string) []string {
	if size == "small" {
		return b.small
	}
	return b.large
}

// cannot says why a benchmark can't be run here.
func (b bench) cannot() string {
	if b.missing != "" {
		return b.missing
	}
	if _, err := os.Stat(b.folder); err != nil {
		return "there is no " + b.folder
	}
	if _, err := os.Stat(filepath.Join(clusterDir(), "kubeconfig")); b.full && err != nil {
		return "no full cluster was up (`make demo` brings one up)"
	}
	return ""
}

// clusterDir is where the full cluster is, if one is up.
func clusterDir() string { return cmp.Or(os.Getenv("CLUSTER_DIR"), ".cluster") }
