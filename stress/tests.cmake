# How a file becomes a CTest test. A test states what it needs in its first 40 lines:
#   ctest-timeout: 300      seconds, where the default does not do
#   ctest-serial: yes       no other test beside it
#   ctest-slow: yes         left out by `./stealyard test --quick`
#   ctest-plain-only: yes   says nothing new under a sanitizer, so it is no test there
#   ctest-each: gq_list     a test for each entry of queues/gq_list.h or reactor/rx_list.h, named <file>.<entry>
#   ctest-label: queues     a label of CTest's

set(STEALYARD_PYTHON /usr/bin/python3 CACHE FILEPATH "A Python that has SciPy, Matplotlib and Jinja2")

set(stealyard_test_env STEALYARD_BUILD=${PROJECT_BINARY_DIR} STEALYARD_SOURCE=${PROJECT_SOURCE_DIR}
    STEALYARD_SANITIZE=${STEALYARD_SANITIZE}
    TSAN_OPTIONS=halt_on_error=1:suppressions=${PROJECT_SOURCE_DIR}/stress/tsan.supp
    ASAN_OPTIONS=detect_leaks=1
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1)

# Sets <out> to the value that <file> states for <key>, or to <default>.
function(stealyard_test_setting out file key default)
    file(STRINGS ${file} lines LIMIT_COUNT 40)
    set(${out} ${default} PARENT_SCOPE)
    foreach(line IN LISTS lines)
        if(line MATCHES "${key}: ([a-z0-9_]+)")
            set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
            return()
        endif()
    endforeach()
endfunction()

# Sets <out> to the entries of <list>.h in queues or reactor, which stand one to a line.
function(stealyard_list_entries out list)
    file(GLOB file ${PROJECT_SOURCE_DIR}/queues/${list}.h ${PROJECT_SOURCE_DIR}/reactor/${list}.h)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(REGEX MATCHALL "\n +[A-Z]+\\([a-z0-9_]+\\)" lines "${text}")
    list(TRANSFORM lines REPLACE ".*\\((.*)\\)" "\\1")
    set(${out} ${lines} PARENT_SCOPE)
endfunction()

# stealyard_describe_tests(<file> <default timeout in seconds> <test>...): they run as the file states.
function(stealyard_describe_tests file default_timeout)
    stealyard_test_setting(timeout ${file} ctest-timeout ${default_timeout})
    stealyard_test_setting(serial ${file} ctest-serial no)
    stealyard_test_setting(slow ${file} ctest-slow no)
    stealyard_test_setting(labels ${file} ctest-label "")
    if(slow)
        list(APPEND labels slow)
    endif()
    set_tests_properties(${ARGN} PROPERTIES TIMEOUT ${timeout} RUN_SERIAL ${serial} SKIP_RETURN_CODE 77
        ENVIRONMENT "${stealyard_test_env}" LABELS "${labels}")
endfunction()

# stealyard_add_test(<file> <default timeout in seconds> <command>...): named after the file's stem.
function(stealyard_add_test file default_timeout)
    cmake_path(GET file STEM name)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    stealyard_test_setting(plain_only ${file} ctest-plain-only no)
    stealyard_test_setting(each ${file} ctest-each "")
    if(plain_only AND STEALYARD_SANITIZE)
        return()
    endif()
    if(each)
        stealyard_list_entries(entries ${each})
        list(LENGTH entries count)
        # The suite does not compile if it counts others.
        target_compile_definitions(${name} PRIVATE CTEST_ENTRIES=${count})
        foreach(entry IN LISTS entries)
            list(APPEND tests ${name}.${entry})
            add_test(NAME ${name}.${entry} COMMAND ${ARGN} --only ${entry})
        endforeach()
    else()
        set(tests ${name})
        add_test(NAME ${name} COMMAND ${ARGN})
    endif()
    stealyard_describe_tests(${file} ${default_timeout} ${tests})
endfunction()

# Every test_*.sh and test_*.py of the calling directory.
function(stealyard_add_script_tests)
    file(GLOB shell_tests CONFIGURE_DEPENDS test_*.sh)
    foreach(file IN LISTS shell_tests)
        stealyard_add_test(${file} 300 bash ${file})
    endforeach()
    file(GLOB python_tests CONFIGURE_DEPENDS test_*.py)
    foreach(file IN LISTS python_tests)
        stealyard_add_test(${file} 300 ${STEALYARD_PYTHON} ${file})
    endforeach()
endfunction()
