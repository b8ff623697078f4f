package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

type request int

const (
	requestRun request = iota
	requestList
	requestListJSON
	requestServe
	requestHelp
)

const (
	workersMax = 1024 // more is a typing error
	budgetMax  = 3_600_000
	flagNames  = "--workload, --workers, --budget-ms, --iterations, --seed, --list, --json, --serve, --port, --unix, --help"
)

type options struct {
	request    request
	workload   *workload
	workers    int
	budgetMS   uint64
	iterations uint64 // exactly so many, without warm-up; 0: as the budget has it
	seed       uint64
	serve      string
	port       uint64
	unix       string // a path; "": TCP
}

func parse(arguments []string) (*options, error) {
	o := &options{workers: processors(), budgetMS: 300, seed: 1}
	list, json := false, false
	for i := 0; i < len(arguments); i++ {
		switch name := arguments[i]; name {
		case "--help", "-h":
			o.request = requestHelp
			return o, nil
		case "--list":
			list = true
		case "--json":
			json = true
		case "--workload", "--workers", "--budget-ms", "--iterations", "--seed", "--serve", "--port", "--unix":
			if i++; i == len(arguments) {
				return nil, fmt.Errorf("%s wants a value after it", name)
			}
			if err := o.set(name, arguments[i]); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("unknown flag %q; there are: %s", name, flagNames)
		}
	}
	return o, o.decide(list, json)
}

func (o *options) set(flag, value string) (err error) {
	switch flag {
	case "--workload":
		o.workload, err = findWorkload(value)
	case "--workers":
		var workers uint64
		workers, err = number(flag, value, 1, workersMax)
		o.workers = int(workers)
	case "--budget-ms":
		o.budgetMS, err = number(flag, value, 1, budgetMax)
	case "--iterations":
		o.iterations, err = number(flag, value, 1, 1_000_000_000)
	case "--seed":
		o.seed, err = number(flag, value, 0, 1<<64-1)
	case "--port":
		o.port, err = number(flag, value, 0, 65535)
	case "--unix":
		o.unix = value
	case "--serve":
		if value != "echo" && value != "http" {
			err = fmt.Errorf("--serve knows no %q; there are: echo, http", value)
		}
		o.serve = value
	}
	return err
}

// decide finds out which of the requests the flags amount to.
func (o *options) decide(list, json bool) error {
	switch {
	case list && json:
		o.request = requestListJSON
	case list:
		o.request = requestList
	case o.serve != "":
		o.request = requestServe
	case o.workload == nil:
		return fmt.Errorf("--workload is missing; there are: %s", workloadNames())
	case o.workload.workers != 0:
		o.workers = o.workload.workers
	}
	return nil
}

func processors() int {
	if n := runtime.NumCPU(); n < workersMax {
		return n
	}
	return workersMax
}

func number(flag, text string, least, most uint64) (uint64, error) {
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil || text[0] == '+' || value < least || value > most {
		return 0, fmt.Errorf("%s wants a whole number from %d to %d, not %q", flag, least, most, text)
	}
	return value, nil
}

func findWorkload(name string) (*workload, error) {
	for i := range workloads {
		if workloads[i].name == name {
			return &workloads[i], nil
		}
	}
	return nil, fmt.Errorf("unknown workload %q; there are: %s", name, workloadNames())
}

func workloadNames() string {
	var names []string
	for i := range workloads {
		names = append(names, workloads[i].name)
	}
	return strings.Join(names, ", ")
}

func printHelp() {
	fmt.Printf(`usage: go-workload --workload NAME [flag]...
       go-workload --serve echo|http [--workers N] [--port P|--unix PATH]
Runs one workload on %s and prints one JSON object, or serves on 127.0.0.1 or a Unix socket until SIGTERM.

  --workload NAME    one of: %s
  --workers N        GOMAXPROCS (default: the processors, %d)
  --budget-ms MS     how long to measure (default 300)
  --iterations N     exactly so many and no warm-up, for counting instructions
  --seed S           of message contents and random picks; Go's own random choices cannot be seeded (default 1)
  --list [--json]    the workloads
  --serve WHAT       echo: sends back what it receives; http: answers GET / with a small text
  --port P           where; 0: any free port (default 0)
  --unix PATH        or a Unix socket, whose path is free
  --help             this text

Exit status: 0 ok, 1 a check failed, 2 wrong usage, 77 this machine lacks what the workload needs.
`, peerName(), workloadNames(), processors())
}

func printList() {
	for i := range workloads {
		fmt.Printf("%-32s %s\n", workloads[i].name, workloads[i].summary)
	}
}

func printListJSON() error {
	type row struct {
		Name         string `json:"name"`
		Summary      string `json:"summary"`
		Check        string `json:"check"`
		Measures     string `json:"measures"`
		Effort       string `json:"effort"`
		Ops          uint64 `json:"ops"`
		OpsPerWorker bool   `json:"ops_per_worker"`
		Workers      int    `json:"workers"`
	}
	var rows []row
	for i := range workloads {
		w := &workloads[i]
		rows = append(rows, row{w.name, w.summary, w.check, w.measured(), w.effort, w.ops, w.opsPerWorker, w.workers})
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"peer": peerName(), "workloads": rows, "serves": []string{"echo", "http"}, "transports": []string{"tcp", "unix"},
	})
}
