package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/metrics"
	"strings"
	"syscall"
	"time"
)

// Of the runtime's metrics, those that add up. One that this Go does not have yet is left out.
var counterNames = map[string]string{
	"goroutines_created": "/sched/goroutines-created:goroutines",
	"gc_cycles":          "/gc/cycles/total:gc-cycles",
	"heap_objects":       "/gc/heap/allocs:objects",
	"heap_bytes":         "/gc/heap/allocs:bytes",
}

func readCounters() map[string]uint64 {
	counters := map[string]uint64{}
	for name, metric := range counterNames {
		sample := []metrics.Sample{{Name: metric}}
		metrics.Read(sample)
		if sample[0].Value.Kind() == metrics.KindUint64 {
			counters[name] = sample[0].Value.Uint64()
		}
	}
	return counters
}

func processCPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakRSSKiB is the high-water mark of this program's own memory, 0 if unknown. Not getrusage's ru_maxrss: that
// survives exec, so it would tell the size of whoever started us.
func peakRSSKiB() uint64 {
	return kibOf("/proc/self/status", "VmHWM:")
}

// checkMemory refuses what the system would kill the process for.
func checkMemory(wantedGiB uint64) error {
	availableKiB := kibOf("/proc/meminfo", "MemAvailable:")
	if availableKiB != 0 && availableKiB>>20 < wantedGiB {
		return lacking{fmt.Errorf("it needs about %d GiB of memory, and %d are available", wantedGiB, availableKiB>>20)}
	}
	return nil
}

// kibOf is what a file says behind a key, 0 if nothing.
func kibOf(path, key string) (kib uint64) {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan() && kib == 0; {
		if line := lines.Text(); strings.HasPrefix(line, key) {
			fmt.Sscan(line[len(key):], &kib)
		}
	}
	return kib
}
