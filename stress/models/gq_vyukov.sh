# shellcheck shell=bash disable=SC2034
header=queues/gq_vyukov.h
meet=(-DPUSHERS=2 -DPOPPERS=2)
right "two pushers and two poppers" "${meet[@]}"
