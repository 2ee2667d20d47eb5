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
	folder  string // of test/bench
	run     string // which of its benchmarks, as -bench has it
	small   []string
	large   []string
	full    bool   // it needs a full cluster on which the functions are deployed
	missing string // why there is no such benchmark yet
	plot    string // the unit that is drawn; "" for none
}

var benches = []bench{
	{name: "create", title: "A Task by each way", folder: "create", run: "BenchmarkCreate", plot: "of-raw",
		says: "Creations a second by 8 senders, as a part of those of bare Tasks in the same rounds (of-raw)."},
	{name: "event", title: "A Task's event to its PipelineRun", folder: "event", run: ".", plot: "ratio",
		says: "Tasks that runtask starts by their events, beside bare creates, by 1, 8 and 32 senders."},
	{name: "calls", title: "What a Task costs", folder: "calls", run: "BenchmarkTask", plot: "cpu-s/1000-Tasks",
		says: "Requests to the API server by verb, processor seconds for 1,000 Tasks, and memory before and after, of each function that has to do with a Task's life. " +
			"Tekton is played."},
	{name: "ready", title: "From a process's start to its first answer", folder: "calls", run: "BenchmarkReady", plot: "ready-ms",
		says: "Each function as a process, until /healthz answers."},
	{name: "cronjob", title: "A tick beside Kubernetes' CronJob controller", folder: "tick", run: "BesideCronJob", plot: "last-s",
		small: []string{"JOBS=200"}, large: []string{"JOBS=1000"},
		says: "JOBS due in one minute: how late the last one's Task (the last one's Job) is there. The controller has its defaults and is part of the same cluster."},
	{name: "atrest", title: "Jobs at rest", folder: "tick", run: "AtRest", plot: "cpu-s/tick",
		small: []string{"JOBS=50000"}, large: []string{"JOBS=100000"},
		says: "A tick over JOBS of which none is due, by the length of their histories. The lists come from a stand-in of the API server."},
	{name: "shards", title: "Many due in one minute", folder: "tick", run: "Shards", plot: "ratio",
		small: []string{"JOBS=2000", "DUE=500"}, large: []string{"JOBS=100000", "DUE=10000"},
		says: "DUE of JOBS in one minute, by 1, 2 and 4 instances of tick: the time that as many bare creates take, over that until the last Task is there (ratio). " +
			"Above 1, the bare creates met more of what else the machine did."},
	{name: "growth", title: "What grows", folder: "growth", run: "BenchmarkGrowth", plot: "tick-cpu-ms",
		small: []string{"SCALE=1"}, large: []string{"SCALE=10"},
		says: "What one round of each kind costs at three sizes of what might make it dearer: requests, bytes that the API server answered, processor time."},
	{name: "namespaces", title: "Namespaces that come and go", folder: "growth", run: "BenchmarkNamespaces", plot: "reviews",
		says: "What Knative's controller asks the API server whenever a namespace comes or goes, because the source is of all namespaces, and how long " +
			"the API server takes to answer that, one after another; the controller's own limit on requests comes on top."},
	{name: "prune", title: "Pruning", folder: "retention", run: "Backlog", plot: "of-loop",
		small: []string{"BACKLOG=1000"}, large: []string{"BACKLOG=10000"},
		says: "BACKLOG Tasks beyond an App's limit, beside a plain loop of 8 that deletes Tasks, in the same run."},
	{name: "identity", title: "What tokens cost", folder: "identity", run: "TokenChecks", plot: "ratio",
		says: "The rate with tokens that are checked as a part of the rate without."},
	{name: "source", title: "A push of a folder", folder: "source", run: ".", plot: "cpu-s",
		says: "What a push of 100 MB of source costs beside tar, gzip and curl (of-shell is of processor time), of many files, and of one large one."},
	{name: "task", title: "A Task beside a bare PipelineRun", folder: "task", run: ".", full: true, plot: "line-p50-s",
		says: "From its creation to its PipelineRun and to its Pod's first line, on a full cluster, through sources and Broker; and how often anybody writes to the " +
			"API server for it (Events and all that Tekton, scheduler and kubelet write included)."},
	{name: "status", title: "A PipelineRun's end to its Task's", folder: "cluster", run: "BenchmarkStatus", full: true,
		says: "Fifty Tasks run at once and then end, two a second: from when a watch sees that Tekton says so until one sees that the Task does. Through source and Broker."},
	{name: "jobsink", title: "A command event beside Knative's JobSink", folder: "cluster", run: "BenchmarkJobSink", full: true, plot: "created/s",
		says: "Events posted by 8 senders to a Broker, to the Task and to the PipelineRun of each, beside as many posted to a JobSink, to their Jobs; by turns on one full cluster. " +
			"JobSink has its defaults."},
	{name: "zero", title: "From zero on Serving, beside a hello service", folder: "cluster", run: "BenchmarkZero", full: true, plot: "p50-s",
		says: "The first answer of a Knative Service that has no Pod: the function logs, beside a program that does nothing on the same base image, by turns."},
	{name: "logs", title: "Logs beside kubectl logs", folder: "cluster", run: "BenchmarkLogs", full: true, plot: "MB/s",
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
	if _, err := os.Stat(filepath.Join("test", "bench", b.folder)); err != nil {
		return "there is no test/bench/" + b.folder
	}
	if _, err := os.Stat(filepath.Join(clusterDir(), "kubeconfig")); b.full && err != nil {
		return "no full cluster was up (`make demo` brings one up)"
	}
	return ""
}

// clusterDir is where the full cluster is, if one is up.
func clusterDir() string { return cmp.Or(os.Getenv("CLUSTER_DIR"), ".cluster") }
