// The same workloads as bench/wl_*.c, in Go. The standard library alone: no module besides this one, so no go.sum.
// 1.19 is what Debian 12 has; a newer Go compiles it as well, with its own runtime and library.
module go-workload

go 1.19
