# Cross-compiles to aarch64 by Debian's gcc, with the libraries that ./stealyard setup aarch64 puts into the build
# directory, and runs tests by qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;/usr/aarch64-linux-gnu)

# Not the headers and libraries of the machine that builds. A try_compile reads this file too, in its own directory.
get_property(is_try GLOBAL PROPERTY IN_TRY_COMPILE)
if(NOT is_try)
    set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_BINARY_DIR}/root)
    set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_BINARY_DIR}/root/usr/lib/aarch64-linux-gnu/pkgconfig)
endif()

add_compile_definitions(STEALYARD_EMULATED) # tests do less, see stress/threads.h
