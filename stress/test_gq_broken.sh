#!/usr/bin/env bash
# Do the suites of global queues find faulty ones out? Each of stress/gq_broken.h has to fail the tests that are named
# here for it, by a check and not by running out of time; and one that says that it does not work here is skipped.
# ctest-plain-only: yes
set -u

# shellcheck source=stress/broken.sh
. "${STEALYARD_SOURCE:-$(dirname "$0")/..}/stress/broken.sh"

found suite_gq loses/exactly_once
found suite_gq doubles/exactly_once
found suite_gq lies/alone
found suite_gq early/alone early/is_empty_never_too_early
found suite_gq haunted/alone haunted/is_empty_never_too_early
found suite_gq swaps/batches_of_every_size
found suite_gq capped/batches_of_every_size
found suite_gq welcomes/sizes_are_checked
found suite_gq_history reorders lies hasty early
found suite_gq_wrap wraps/alone wraps/full_at_the_border wraps/in_a_crowd
found suite_gq_threads keeps/pushers_come_and_go limits/pushers_come_and_go limits/poppers_come_and_go
found suite_gq_memory leaks/destroyed_with_items_left hoards/threads_leave_nothing
found suite_gq_memory grows/steady_state grows/bounded_by_what_is_inside
found suite_gq_memory starves/pushed_without_memory starves/starved_crowd
left_to_others suite_gq reorders/exactly_once hasty/alone wraps/alone
skipped suite_gq absent 'absent is not for this machine'
conclude
