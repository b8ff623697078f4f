# shellcheck shell=bash disable=SC2034
header=queues/retire.h
two=(-DTHREADS=2)
three=(-DTHREADS=3)

right "two that retire" "${two[@]}"
right "three that retire" "${three[@]}"

wrong "a knock with relaxed" '/\[1\] \*\//s/release/relaxed/' "${three[@]}"
wrong "the knocks looked at with relaxed" '/\[2\] \*\//s/acquire/relaxed/' "${three[@]}"
wrong "left without release" '/\[3\] \*\//s/acq_rel/acquire/' "${three[@]}"
wrong "a knock found without acquire" '/\[3\] \*\//s/acq_rel/release/' "${three[@]}"
wrong "left without a look at the knocks" \
    's/if (au32_cas_acq_rel(&retire->knocks, &knocks, 0)) {/if (au32_exchange_acq_rel(\&retire->knocks, 0) | knocks) {/' \
    "${three[@]}"
wrong "two at work" 's/(&retire->knocks, 1) != 0/(\&retire->knocks, 1) > 1/' "${three[@]}"
