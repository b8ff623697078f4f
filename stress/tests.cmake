# How a file becomes a CTest test. A test states what it needs in its first 40 lines:
#   ctest-timeout: 300      seconds, where the default does not do
#   ctest-serial: yes       no other test beside it
#   ctest-slow: yes         left out by `./stealyard test --quick`
#   ctest-plain-only: yes   says nothing new under a sanitizer, so it is no test there

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
        if(line MATCHES "${key}: ([a-z0-9]+)")
            set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
            return()
        endif()
    endforeach()
endfunction()

# stealyard_add_test(<file> <default timeout in seconds> <command>...): named after the file's stem.
function(stealyard_add_test file default_timeout)
    cmake_path(GET file STEM name)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    stealyard_test_setting(timeout ${file} ctest-timeout ${default_timeout})
    stealyard_test_setting(serial ${file} ctest-serial no)
    stealyard_test_setting(slow ${file} ctest-slow no)
    stealyard_test_setting(plain_only ${file} ctest-plain-only no)
    if(plain_only AND STEALYARD_SANITIZE)
        return()
    endif()
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES
        TIMEOUT ${timeout} RUN_SERIAL ${serial} SKIP_RETURN_CODE 77 ENVIRONMENT "${stealyard_test_env}")
    if(slow)
        set_tests_properties(${name} PROPERTIES LABELS slow)
    endif()
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
