#!/usr/bin/env bash
# Do the suites of deques find faulty ones out? Each of stress/dq_broken.h has to fail the tests that are named here for
# it, by a check and not by running out of time. Hand-overs without release are for test_weaken.sh and the models.
# ctest-plain-only: yes
set -u

# shellcheck source=stress/broken.sh
. "${STEALYARD_SOURCE:-$(dirname "$0")/..}/stress/broken.sh"

found suite_dq loses/exactly_once loses/overflow doubles/exactly_once reorders/exactly_once lies/exactly_once
found suite_dq overwrites/overflow crams/steal_into_the_robbed early/is_empty_never_too_early
found suite_dq_alone doubles/alone reorders/alone lies/alone denies/alone early/alone haunted/alone understates/alone
found suite_dq_alone greedy/steals_half miscounts/steals_half crams/steals_half
found suite_dq_alone upends/takes_the_oldest empties/takes_the_oldest
found suite_dq_alone shrinks/filled_and_drained overwrites/filled_and_drained endless/filled_and_drained
found suite_dq_alone welcomes/sizes_are_checked miserly/thieves_get_their_share haunted/found_empty
found suite_dq_wrap wraps/alone wraps/full_at_the_border wraps/robbed
found suite_dq_history hasty/never_empty lies/never_empty
found suite_dq_history reorders/recorded_history lies/recorded_history hasty/recorded_history early/recorded_history
found suite_dq_steps waits/one_stalls races/one_stalls tardy/one_stalls pairs/one_stalls gives_up/one_stalls
found suite_dq_steps waits/several_stall races/several_stall tardy/several_stall pairs/several_stall
found suite_dq_steps gives_up/several_stall
found suite_dq_memory leaks/destroyed_with_items_left spills/created_without_memory
found suite_dq_memory hoards/steady_state hoards/bounded_by_what_was_inside
found suite_dq_memory starves/pushed_without_memory starves/starved_now_and_then
left_to_others suite_dq_alone wraps hasty races gives_up waits tardy/alone
skipped suite_dq_steps loses 'loses is blocking'
conclude
